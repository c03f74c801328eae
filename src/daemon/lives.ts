// SPDX-License-Identifier: Apache-2.0
// How long the processes of one kind live, and so how long to wait before the next one (process-policy.ts).
import type { Clock } from '../core/clock.ts';
import { type BackOff, delayAfter } from './process-policy.ts';

export class Lives {
  readonly #clock: Clock;
  readonly #backOff: BackOff;
  #began = 0n;
  #short = 0;

  constructor(clock: Clock, backOff: BackOff) {
    this.#clock = clock;
    this.#backOff = backOff;
  }

  /** So many short lives in a row may be due to what the processes have left to each other. */
  get areTooShort(): boolean {
    return this.#short >= this.#backOff.shortLivesUntilForgotten;
  }

  begin(): void {
    this.#began = this.#clock.monotonic();
  }

  /** Milliseconds to wait before the next one. */
  end(): number {
    const lived = Number((this.#clock.monotonic() - this.#began) / 1_000_000n);
    this.#short = lived < this.#backOff.shortLifeMilliseconds ? this.#short + 1 : 0;
    return delayAfter(this.#short, this.#backOff);
  }
}
