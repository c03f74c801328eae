// SPDX-License-Identifier: Apache-2.0
// The process that stands by: its code is loaded, which takes a second of a CPU, and it waits for the message to work. One
// that ends is replaced, after the same waits as a process that works.
import type { Clock, Timer } from '../core/clock.ts';
import { UnavailableError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { Lives } from './lives.ts';
import type { ProcessPolicy } from './process-policy.ts';
import { howItEnded, type StartedProcess } from './started-process.ts';

export interface StandByOptions {
  readonly policy: ProcessPolicy;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly start: () => StartedProcess;
  readonly changed: () => void;
}

export class StandBy {
  readonly #options: StandByOptions;
  readonly #lives: Lives;
  #process: StartedProcess | undefined;
  #wait: Timer | undefined;
  #isWanted = false;
  #prepareFailed: (error: Error) => void = () => undefined;

  constructor(options: StandByOptions) {
    this.#options = options;
    this.#lives = new Lives(options.clock, options.policy.backOff);
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** One stands by from now on. */
  keep(): void {
    this.#isWanted = true;
    if (this.#process === undefined && this.#wait === undefined) this.#start();
  }

  /** As keep(). Resolves when it could work at once; rejects when it ends before. */
  async prepare(): Promise<void> {
    this.keep();
    const ended = new Promise<never>((_, reject) => {
      this.#prepareFailed = reject;
    });
    await Promise.race([this.#process?.prepared, ended]);
  }

  /** The process, whose turn it is; undefined when none stands by. No other one follows until keep(). */
  take(): StartedProcess | undefined {
    const taken = this.#process;
    this.#process = undefined;
    this.expectEnd();
    return taken;
  }

  /** One that ends is not replaced. */
  expectEnd(): void {
    this.#isWanted = false;
    this.#wait?.cancel();
    this.#wait = undefined;
  }

  kill(): void {
    this.take()?.kill();
  }

  #start(): void {
    this.#lives.begin();
    const started = this.#options.start();
    this.#process = started;
    started.onEnd(ending => {
      if (started !== this.#process) return;
      this.#process = undefined;
      const name = this.#options.policy.name;
      const problem = `the process ${name} ${howItEnded(ending)} before it could work`;
      this.#prepareFailed(new UnavailableError(problem, { remedy: 'look at its log' }));
      if (this.#isWanted) this.#startAgain(started, ending);
      this.#options.changed();
    });
    this.#options.changed();
  }

  #startAgain({ pid }: StartedProcess, ending: object): void {
    const { logger, policy, clock } = this.#options;
    const milliseconds = this.#lives.end();
    logger.warn(
      { process: policy.name, pid, ...ending, milliseconds },
      'the process that stood by has ended: starting another',
    );
    this.#wait = clock.after(milliseconds, () => {
      this.#wait = undefined;
      this.#start();
    });
  }
}
