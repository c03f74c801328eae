// SPDX-License-Identifier: Apache-2.0
// What all probes in this process have in common: a probe begins after its start has returned, ends once, by itself, by
// its time or by `cancel`, and then releases what it holds.
import type { Clock } from '../../core/clock.ts';
import { fails, type Verdict } from '../dialog.ts';
import type { Check } from '../model.ts';
import type { Destination, ProbeResult, RunningProbe, StartProbe } from '../probe.ts';
import { errorWords } from './words.ts';

export class Attempt implements RunningProbe {
  readonly #clock: Clock;
  readonly #begun: bigint;
  readonly #done: (result: ProbeResult) => void;
  readonly #releases: (() => void)[] = [];
  #hasEnded = false;
  /** The verdict when the time has passed; `within 1 s` is added to its detail. */
  timedOut: () => Verdict = () => fails('no result');

  constructor(clock: Clock, done: (result: ProbeResult) => void) {
    this.#clock = clock;
    this.#begun = clock.monotonic();
    this.#done = done;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Since the beginning. */
  get milliseconds(): number {
    return Number(this.#clock.monotonic() - this.#begun) / 1e6;
  }

  /** To be called at the end; at once, if the probe has ended. */
  atEnd(release: () => void): void {
    if (this.#hasEnded) release();
    else this.#releases.push(release);
  }

  finish(verdict: Verdict): void {
    if (this.#hasEnded) return;
    this.cancel();
    this.#done({ ...verdict, milliseconds: this.milliseconds });
  }

  cancel(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    for (const release of this.#releases) release();
  }
}

/** The verdict after the check's time. */
export function within(verdict: Verdict, check: Check): Verdict {
  return { ...verdict, detail: `${verdict.detail} within ${check.timeout} s` };
}

export type BeginAttempt = (attempt: Attempt, check: Check, to: Destination) => void | Promise<void>;

export function startAttempts(clock: Clock, begin: BeginAttempt): StartProbe {
  return (check, to, done) => {
    const attempt = new Attempt(clock, done);
    const finishLate = (): void => attempt.finish(within(attempt.timedOut(), check));
    // If the process was busy for long, the answer may wait in a socket. Node runs timers before it reads sockets, and
    // immediates after.
    const timer = clock.after(check.timeout * 1000, () => setImmediate(finishLate));
    attempt.atEnd(() => timer.cancel());
    const beginning = async (): Promise<void> => {
      await undefined;
      if (!attempt.hasEnded) await begin(attempt, check, to);
    };
    beginning().catch(error => attempt.finish(fails(errorWords(error))));
    return attempt;
  };
}
