// SPDX-License-Identifier: Apache-2.0
// Finds out that a process hangs: it has to say every second that its event loop turns, and is given up after so many
// seconds of silence.
//
// Seconds are counted in turns of the supervisor's own loop. When the supervisor itself has stood still, because the
// machine slept or somebody stopped it, one second counts, and what its children have said meanwhile is read next.
// A process that a person has stopped (SIGSTOP, gdb) or inspects (node --inspect) is not given up: it goes on when the
// person lets it. Until the first sign of life the process loads its code, which a busy machine is given a minute for.
import { readFileSync } from 'node:fs';
import type { Clock, Timer } from '../core/clock.ts';

/** Between two signs of life. */
export const signMilliseconds = 1000;
const firstSignMilliseconds = 60_000;

export interface WatchOptions {
  readonly clock: Clock;
  /** Of silence. */
  readonly hangMilliseconds: number;
  readonly isStopped: () => boolean;
  /** Is called once, with the time of silence. */
  readonly hung: (milliseconds: number) => void;
}

export class Watch {
  readonly #options: WatchOptions;
  #limit: number;
  #silent = 0;
  #isInspected = false;
  #timer: Timer;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#limit = Math.max(options.hangMilliseconds, firstSignMilliseconds);
    this.#timer = this.#next();
  }

  /** The process has given a sign of life. */
  alive({ isInspected }: { isInspected: boolean }): void {
    this.#limit = this.#options.hangMilliseconds;
    this.#silent = 0;
    this.#isInspected = isInspected;
  }

  end(): void {
    this.#timer.cancel();
  }

  #next(): Timer {
    return this.#options.clock.after(signMilliseconds, () => {
      this.#silent += signMilliseconds;
      if (this.#silent >= this.#limit) {
        if (!this.#isInspected && !this.#options.isStopped()) return this.#options.hung(this.#silent);
        this.#silent = 0;
      }
      this.#timer = this.#next();
    });
  }
}

/** Whether somebody has stopped the process, with SIGSTOP or as a debugger does. */
export function isStopped(pid: number): boolean {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // PID (NAME) STATE …: a name may have spaces and brackets itself.
    return /^ [Tt]/.test(text.slice(text.lastIndexOf(')') + 1));
  } catch {
    return false;
  }
}
