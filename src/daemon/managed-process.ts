// SPDX-License-Identifier: Apache-2.0
// One row of the table of processes at work: the process that works, the one that stands by (stand-by.ts), and what
// happens when the working process ends.
//
//            start()                ready                     ends unexpectedly
//   stopped ─────────▶ starting ──────────▶ running ─────────────────────────────▶ waiting ──▶ starting …
//                         │                    │ stop()                              (at once after a long life)
//                         │ ends: failed()     ▼
//                         └──────────────▶   stopped
//
// At the first start of all, a process that ends before it is ready would fail again: `failed` says so, and `sluice run`
// ends. From then on every end that nobody asked for is unexpected, whatever the status.
import type { Clock, Timer } from '../core/clock.ts';
import type { Logger } from '../core/logger.ts';
import type { Fields } from '../core/messages.ts';
import { Lives } from './lives.ts';
import type { ProcessState, SupervisorEnd, toChild } from './messages.ts';
import type { ProcessPolicy } from './process-policy.ts';
import { StandBy } from './stand-by.ts';
import { type Ending, type Heard, howItEnded, type Launched, StartedProcess } from './started-process.ts';

export interface ManagedProcessOptions extends Omit<Heard, 'ready'> {
  readonly policy: ProcessPolicy;
  /** Whom its processes run as. */
  readonly user: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Starts a process that waits for the message to work. */
  readonly launch: () => Launched;
  /** What a process is told with the message to work. */
  readonly work: Omit<Fields<typeof toChild, 'work'>, 'crashState' | 'replaces'>;
  /** The process has changed its state. */
  readonly changed: () => void;
  /** Nothing has worked yet: a process that ends would fail again. */
  readonly isFirstStart: () => boolean;
  /** The process ended at the first start, before it was ready. */
  readonly failed: (ending: Ending) => void;
}

export class ManagedProcess {
  readonly #options: ManagedProcessOptions;
  readonly #clock: Clock;
  readonly #lives: Lives;
  readonly #standBy: StandBy;
  #works: StartedProcess | undefined;
  #state: ProcessState['state'] = 'stopped';
  #since: number | undefined;
  /** A process has been ready, of those since the last stop. */
  #hasWorked = false;
  #isWanted = false;
  /** The next process takes the place of one that was ended for it. */
  #replaces = false;
  /** The end of the process that was asked to end. */
  #stopping: Promise<void> | undefined;
  #restarts = 0;
  #lastError: ProcessState['lastError'];
  #wait: Timer | undefined;

  constructor(options: ManagedProcessOptions) {
    const { policy, clock, logger, changed } = options;
    this.#options = options;
    this.#clock = clock;
    this.#lives = new Lives(clock, policy.backOff);
    this.#standBy = new StandBy({ policy, clock, logger, changed, start: () => new StartedProcess(options) });
  }

  get state(): ProcessState {
    const [pid, standsBy] = [this.#works?.pid, this.#standBy.pid];
    return {
      name: this.#options.policy.name,
      state: this.#state,
      user: this.#options.user,
      ...(pid === undefined ? {} : { pid }),
      ...(standsBy === undefined ? {} : { standsBy }),
      ...(this.#since === undefined ? {} : { since: new Date(this.#since).toISOString() }),
      restarts: this.#restarts,
      ...(this.#lastError === undefined ? {} : { lastError: this.#lastError }),
    };
  }

  /** A process that runs goes on; one that was asked to end is followed by another. */
  start(): void {
    this.#isWanted = true;
    if (this.#state === 'stopped') this.#begin();
  }

  /** A process stands by, whose turn comes with start(). Rejects when it ends before it could work. */
  prepare(): Promise<void> {
    this.#replaces = true;
    return this.#standBy.prepare();
  }

  /** Kills the process that works. One that stands by does so until start(). */
  async release(): Promise<void> {
    this.#isWanted = false;
    this.#replaces = true;
    this.#wait?.cancel();
    const works = this.#works;
    if (works === undefined) {
      this.#enter('stopped');
      return;
    }
    works.kill();
    await works.ended;
  }

  /** A message to a process that does not run is dropped. */
  send: SupervisorEnd['send'] = (kind, fields) => this.#works?.send(kind, fields);

  /** Asks the process to end, and kills it when it has not ended in time. */
  async stop(deadlineMilliseconds: number): Promise<void> {
    this.#isWanted = false;
    this.#wait?.cancel();
    this.#standBy.kill();
    const works = this.#works;
    if (works === undefined) {
      if (this.#state !== 'stopped') this.#enter('stopped');
      return;
    }
    this.#stopping ??= this.#askToEnd(works, deadlineMilliseconds);
    await this.#stopping;
  }

  /** From now on the end of the process is expected, whoever asks for it: a service manager signals all processes. */
  expectEnd(): void {
    this.#isWanted = false;
    this.#standBy.expectEnd();
  }

  /** Ends the process that works at once. */
  kill(): void {
    this.#works?.kill();
  }

  async #askToEnd(works: StartedProcess, deadlineMilliseconds: number): Promise<void> {
    works.ask();
    const timer = this.#clock.after(deadlineMilliseconds, () => {
      this.#options.logger.error({ process: this.#options.policy.name }, 'the process did not end in time: killing it');
      works.kill();
    });
    await works.ended;
    timer.cancel();
  }

  #begin(): void {
    const { refused, reloading, planes, ask, work } = this.#options;
    const works = this.#standBy.take() ?? new StartedProcess(this.#options);
    this.#works = works;
    this.#since = this.#clock.now();
    this.#lives.begin();
    works.onEnd(ending => this.#hasEnded(works, ending));
    works.hear({ ready: () => this.#becameReady(), refused, reloading, planes, ask });
    const crashState = this.#lives.areTooShort ? 'forget' : 'keep';
    works.send('work', { ...work, crashState, replaces: this.#replaces });
    this.#replaces = false;
    this.#enter('starting');
  }

  #becameReady(): void {
    if (this.#state !== 'starting') return;
    this.#hasWorked = true;
    if (this.#options.policy.standsBy && this.#isWanted) this.#standBy.keep();
    this.#enter('running');
  }

  #hasEnded(works: StartedProcess, ending: Ending): void {
    this.#works = undefined;
    this.#since = undefined;
    if (this.#stopping !== undefined || !this.#isWanted) {
      this.#stopping = undefined;
      this.#hasWorked = false;
      this.#enter('stopped');
      if (this.#isWanted) this.#begin();
      return;
    }
    if (!this.#hasWorked && this.#options.isFirstStart()) {
      this.#enter('stopped');
      this.#options.failed(ending);
      return;
    }
    this.#startAgain(works, ending);
  }

  #startAgain({ pid }: StartedProcess, ending: Ending): void {
    const { policy, logger } = this.#options;
    const milliseconds = this.#lives.end();
    this.#restarts++;
    this.#lastError = {
      at: new Date(this.#clock.now()).toISOString(),
      message: `process ${pid} ${howItEnded(ending)}`,
    };
    logger.error({ process: policy.name, pid, ...ending, milliseconds }, 'the process has crashed: starting it again');
    if (milliseconds === 0) {
      this.#begin();
      return;
    }
    this.#enter('waiting');
    this.#wait = this.#clock.after(milliseconds, () => this.#begin());
  }

  #enter(state: ProcessState['state']): void {
    this.#state = state;
    this.#options.changed();
  }
}
