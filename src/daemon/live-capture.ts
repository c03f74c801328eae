// SPDX-License-Identifier: Apache-2.0
// A capture of what a running data path does, as `sluice capture` asks for it: a line of JSON a frame, for as long as
// somebody listens. What the listener does not take in time finds no room and is counted as missed.
import { UsageError } from '../core/errors.ts';
import type { LiveDirector, TapFilter, TappedFrame } from '../director/live-director.ts';
import { serviceKey } from '../director/model.ts';
import type { AnswerStream } from './admin-server.ts';

/** The first line of a capture. */
export interface CaptureBeginning {
  /** Devices by the numbers that frames name them by. */
  readonly devices: readonly string[];
}

/** A line for each frame; packets that were missed so far when that has changed. */
export type CaptureLine =
  | (Omit<TappedFrame, 'bytes' | 'time'> & {
      /** Nanoseconds since 1970-01-01 UTC. */
      readonly time: string;
      /** base64. */
      readonly bytes: string;
    })
  | { readonly missed: number };

/** Often enough for a ring of eight megabytes at a hundred thousand packets a second. */
const millisecondsBetween = 20;
/** Between two looks at whether the listener keeps up. */
const framesAtOnce = 512;

const nanosecondsPerMillisecond = 1_000_000n;

/** By the parameters host, port-number, protocol, verdict, reason, service, device. */
export function captureInto(stream: AnswerStream, liveDirector: LiveDirector, parameters: URLSearchParams): void {
  const tap = liveDirector.openTap(filterOf(liveDirector, parameters));
  const toWallClock = BigInt(Date.now()) * nanosecondsPerMillisecond - process.hrtime.bigint();
  const devices = liveDirector.state().ports.map(({ device }) => device);
  stream.write({ devices } satisfies CaptureBeginning);
  let missed = 0;
  const drain = (): void => {
    while (!stream.isFull) {
      const taken = tap.take(framesAtOnce);
      for (const { bytes, time, ...frame } of taken.frames) {
        const line = { ...frame, time: String(time + toWallClock), bytes: bytes.toString('base64') };
        stream.write(line satisfies CaptureLine);
      }
      if (taken.missed !== missed) stream.write({ missed: taken.missed } satisfies CaptureLine);
      missed = taken.missed;
      if (taken.frames.length === 0) return;
    }
  };
  const timer = setInterval(drain, millisecondsBetween);
  stream.onEnd(() => {
    drain();
    stream.end();
  });
  stream.onClose(() => {
    clearInterval(timer);
    tap.close();
  });
}

function filterOf(liveDirector: LiveDirector, parameters: URLSearchParams): TapFilter {
  const text = (name: string): string | undefined => parameters.get(name) ?? undefined;
  const [host, protocol, verdict] = [text('host'), text('protocol'), text('verdict')];
  const [reason, device, service] = [text('reason'), text('device'), text('service')];
  const port = text('port-number');
  if (port !== undefined && !(/^\d+$/.test(port) && Number(port) <= 65_535)) {
    throw new UsageError('not a port number', { value: port, remedy: 'use a number from 0 to 65535' });
  }
  const identity = service === undefined ? undefined : serviceNamed(liveDirector, service);
  return {
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port: Number(port) }),
    ...(protocol === undefined ? {} : { protocol }),
    ...(verdict === undefined ? {} : { verdict }),
    ...(reason === undefined ? {} : { reason }),
    ...(device === undefined ? {} : { device }),
    ...(identity === undefined ? {} : { service: identity }),
  };
}

/** "tcp 10.0.1.100:80", as the services are called elsewhere. */
function serviceNamed(liveDirector: LiveDirector, name: string) {
  const identities = liveDirector.model.services.map(({ identity }) => identity);
  const found = identities.find(identity => serviceKey(identity) === name);
  if (found !== undefined) return found;
  const known = identities.slice(0, 3).map(identity => serviceKey(identity));
  throw new UsageError('there is no such service', {
    value: name,
    remedy: known.length === 0 ? 'none is configured' : `such as ${known.join(', ')}`,
  });
}
