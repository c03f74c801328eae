// SPDX-License-Identifier: Apache-2.0
// The last batch of frames that each worker of a crashed process was given, as a capture: one of them may be what
// crashed it. The captures hold what clients sent, so only their owner may read them. A process that crashes again and
// again does not fill the disk: only the newest captures stay.
import { closeSync, openSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CaptureWriter } from '../capture/capture-writer.ts';
import { linkTypes } from '../capture/link-type.ts';
import type { Clock } from '../core/clock.ts';
import type { RecordedFrame } from '../native/live-director.ts';

/** A capture holds at most one batch of frames a worker. */
const mostCaptures = 16;

const ownerOnly = 0o600;

/** Writes the frames into a new file of the folder, and gives its path. `devices`: by the numbers of the ports. */
export function writeCrashCapture(
  folder: string,
  frames: readonly RecordedFrame[],
  devices: readonly string[],
  clock: Clock,
): string {
  const now = clock.now();
  const file = join(folder, `crash-${new Date(now).toISOString().replaceAll(':', '-')}.pcapng`);
  closeSync(openSync(file, 'wx', ownerOnly));
  const capture = new CaptureWriter(file, { format: 'pcapng' });
  try {
    const interfaces = devices.map(device => capture.addInterface(device, linkTypes.ethernet));
    for (const { worker, port, age, length, bytes } of frames) {
      capture.write({
        time: BigInt(now) * 1_000_000n - age,
        bytes,
        originalLength: length,
        interfaceIndex: interfaces[port] ?? 0,
        comment: `worker ${worker}`,
      });
    }
  } finally {
    capture.close();
  }
  removeOld(folder);
  return file;
}

/** The names sort by time. */
function removeOld(folder: string): void {
  const captures = readdirSync(folder).filter(name => /^crash-[-\dTZ.]+\.pcapng$/.test(name));
  for (const name of captures.sort().slice(0, -mostCaptures)) rmSync(join(folder, name), { force: true });
}
