// SPDX-License-Identifier: Apache-2.0
// A capture of what a running director does, as `sluice capture` asks for it: a line for each frame, until the client ends
// it. Frames that the client does not take in time find no room in the tap and are counted as missed.
import { setTimeout as wait } from 'node:timers/promises';
import type { AnswerOf, ParametersOf } from '../core/api/route.ts';
import type { directorCapture } from './api.ts';
import type { LiveDirector, TapFilter } from './live-director.ts';
import { serviceNamed } from './service-name.ts';

type Parameters = ParametersOf<typeof directorCapture>;
export type CaptureLine = AnswerOf<typeof directorCapture>;

/** Often enough for a ring of eight megabytes at a hundred thousand packets a second. */
const millisecondsBetween = 20;
const framesAtOnce = 512;

const nanosecondsPerMillisecond = 1_000_000n;

export async function* capture(
  liveDirector: LiveDirector,
  parameters: Parameters,
  signal: AbortSignal,
): AsyncGenerator<CaptureLine, void, undefined> {
  const tap = liveDirector.openTap(filterOf(liveDirector, parameters));
  try {
    const toWallClock = BigInt(Date.now()) * nanosecondsPerMillisecond - process.hrtime.bigint();
    yield { devices: liveDirector.devices };
    let missed = 0;
    let end: bigint | undefined;
    for (;;) {
      // What came before the end was asked for is still given.
      if (signal.aborted) end ??= process.hrtime.bigint();
      const taken = tap.take(framesAtOnce);
      for (const { bytes, time, ...frame } of taken.frames) {
        if (end !== undefined && time > end) return;
        yield { ...frame, time: String(time + toWallClock), bytes: bytes.toString('base64') };
      }
      if (taken.missed !== missed) yield { missed: taken.missed };
      missed = taken.missed;
      if (taken.frames.length > 0) continue;
      if (end !== undefined) return;
      await pause(signal);
    }
  } finally {
    tap.close();
  }
}

async function pause(signal: AbortSignal): Promise<void> {
  // The signal cuts the pause short; that is no error.
  await wait(millisecondsBetween, undefined, { signal }).catch(() => {});
}

function filterOf(liveDirector: LiveDirector, { service, ...others }: Parameters): TapFilter {
  return service === undefined ? others : { ...others, service: serviceNamed(liveDirector.model, service) };
}
