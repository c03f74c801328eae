// SPDX-License-Identifier: Apache-2.0
// The descriptor that all processes of `sluice run` log to. A reader that stands still must not hold them up: a stalled
// journal or a pipe that nobody reads. So writes to it do not block.
import { constants, fstatSync, openSync } from 'node:fs';
import { loadAddon } from '../native/addon.ts';

const standardError = 2;

/** Standard error itself where it cannot hold up anybody or cannot be opened anew. */
export function openLog(): number {
  const stat = fstatSync(standardError);
  if (stat.isSocket()) {
    // A socket cannot be opened anew. The flag is shared with whoever else has it, which is this service alone.
    loadAddon().stopBlocking(standardError);
    return standardError;
  }
  if (!stat.isFIFO() && !stat.isCharacterDevice()) return standardError;
  try {
    // Opened anew: the flag would hold for the shell that has the same terminal or pipe as well.
    return openSync(`/proc/self/fd/${standardError}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    return standardError;
  }
}
