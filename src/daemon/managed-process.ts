// SPDX-License-Identifier: Apache-2.0
// One row of the table of processes at work: the process that works, the one that stands by, and what happens when the
// working process ends.
//
//            start()                ready                     ends unexpectedly
//   stopped ─────────▶ starting ──────────▶ running ─────────────────────────────▶ waiting ──▶ starting …
//                         │                    │ stop()                              (at once after a long life)
//                         │ ends: failed()     ▼
//                         └──────────────▶   stopped
//
// At the first start of all, a process that ends before it is ready would fail again: `failed` says so, and `sluice run`
// ends. From then on every end that nobody asked for is unexpected, whatever the status. The process that stands by has its code
// loaded, which takes a second of a CPU; it is told to work when the other one ends.
import type { ChildProcess } from 'node:child_process';
import type { Clock, Timer } from '../core/clock.ts';
import type { Logger } from '../core/logger.ts';
import type { Fields } from '../core/messages.ts';
import { type ProcessState, type SupervisorEnd, supervisorEnd, type toChild, type toSupervisor } from './messages.ts';
import { delayAfter, type ProcessPolicy } from './process-policy.ts';

/** A process that was started, and its end of the channel. */
interface Started {
  readonly child: ChildProcess;
  readonly channel: SupervisorEnd;
}

export interface Ending {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ManagedProcessOptions {
  readonly policy: ProcessPolicy;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Starts a process that waits for the message to work. */
  readonly start: () => ChildProcess;
  /** What a process is told with the message to work. */
  readonly work: () => Omit<Fields<typeof toChild, 'work'>, 'crashState'>;
  /** The process has changed its state. */
  readonly changed: () => void;
  /** Nothing has worked yet: a process that ends would fail again. */
  readonly isFirstStart: () => boolean;
  /** The process ended at the first start, before it was ready. */
  readonly failed: (ending: Ending) => void;
  readonly refused: (fields: Fields<typeof toSupervisor, 'refused'>) => void;
  readonly planes: (names: readonly string[]) => void;
  readonly read: (fields: Fields<typeof toSupervisor, 'read'>) => void;
}

export class ManagedProcess {
  readonly #options: ManagedProcessOptions;
  readonly #clock: Clock;
  #works: Started | undefined;
  #standsBy: Started | undefined;
  #state: ProcessState['state'] = 'stopped';
  #since: number | undefined;
  #began = 0n;
  #hasWorked = false;
  #isWanted = false;
  /** The process that works was asked to end. */
  #isStopping = false;
  #shortLives = 0;
  #restarts = 0;
  #lastError: ProcessState['lastError'];
  #wait: Timer | undefined;
  /** Of those who wait for the process to end: several may have asked it to. */
  #ended: (() => void)[] = [];

  constructor(options: ManagedProcessOptions) {
    this.#options = options;
    this.#clock = options.clock;
  }

  get state(): ProcessState {
    const pid = this.#works?.child.pid;
    return {
      name: this.#options.policy.name,
      state: this.#state,
      ...(pid === undefined ? {} : { pid }),
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

  /** A message to a process that does not run is dropped. */
  send: SupervisorEnd['send'] = (kind, fields) => this.#works?.channel.send(kind, fields);

  /** Asks the process to end, and kills it when it has not ended in time. */
  async stop(deadlineMilliseconds: number): Promise<void> {
    this.#isWanted = false;
    this.#wait?.cancel();
    this.#standsBy?.child.kill('SIGKILL');
    this.#standsBy = undefined;
    const works = this.#works;
    if (works === undefined) {
      if (this.#state !== 'stopped') this.#enter('stopped');
      return;
    }
    const ended = new Promise<void>(resolve => {
      this.#ended.push(resolve);
    });
    if (!this.#isStopping) works.child.kill('SIGTERM');
    this.#isStopping = true;
    const timer = this.#clock.after(deadlineMilliseconds, () => {
      this.#options.logger.error({ process: this.#options.policy.name }, 'the process did not end in time: killing it');
      works.child.kill('SIGKILL');
    });
    await ended;
    timer.cancel();
  }

  /** From now on the end of the process is expected, whoever asks for it: a service manager signals all processes. */
  expectEnd(): void {
    this.#isWanted = false;
  }

  /** Whether a process of this row has been ready, of those since the last stop. */
  get hasWorked(): boolean {
    return this.#hasWorked;
  }

  /** Ends the process at once. */
  kill(): void {
    this.#works?.child.kill('SIGKILL');
    this.#standsBy?.child.kill('SIGKILL');
  }

  #begin(): void {
    const works = this.#standsBy ?? this.#prepare();
    this.#standsBy = undefined;
    this.#works = works;
    this.#since = this.#clock.now();
    this.#began = this.#clock.monotonic();
    const { backOff } = this.#options.policy;
    const crashState = this.#shortLives < backOff.shortLivesUntilForgotten ? 'keep' : 'forget';
    works.channel.send('work', { ...this.#options.work(), crashState });
    this.#enter('starting');
  }

  /** A new process that waits for the message to work. */
  #prepare(): Started {
    const { start, logger, policy, refused, planes, read } = this.#options;
    const child = start();
    const started: Started = { child, channel: supervisorEnd(child) };
    started.channel.listen(
      { ready: () => this.#becameReady(started), refused, planes: ({ names }) => planes(names), read },
      err => {
        logger.error({ err, process: policy.name }, 'the process said something that does not fit: ending it');
        child.kill('SIGKILL');
      },
    );
    child.once('error', err => {
      logger.error({ err, process: policy.name }, 'the process could not be started');
      this.#hasEnded(started, { status: 1, signal: null });
    });
    child.once('exit', (status, signal) => this.#hasEnded(started, { status, signal }));
    return started;
  }

  #becameReady(started: Started): void {
    if (started !== this.#works || this.#state !== 'starting') return;
    this.#hasWorked = true;
    if (this.#options.policy.standsBy && this.#standsBy === undefined) this.#standsBy = this.#prepare();
    this.#enter('running');
  }

  #hasEnded(started: Started, ending: Ending): void {
    if (started === this.#standsBy) {
      this.#standsBy = undefined;
      this.#options.logger.warn(
        { process: this.#options.policy.name, ...ending },
        'the process that stood by has ended',
      );
    }
    if (started !== this.#works) return;
    this.#works = undefined;
    this.#since = undefined;
    for (const call of this.#ended.splice(0)) call();
    if (this.#isStopping || !this.#isWanted) {
      this.#isStopping = false;
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
    this.#startAgain(started, ending);
  }

  #startAgain({ child }: Started, ending: Ending): void {
    const { policy, logger } = this.#options;
    const lived = Number((this.#clock.monotonic() - this.#began) / 1_000_000n);
    this.#shortLives = lived < policy.backOff.shortLifeMilliseconds ? this.#shortLives + 1 : 0;
    this.#restarts++;
    const how = ending.signal === null ? `with exit status ${ending.status}` : `by ${ending.signal}`;
    this.#lastError = { at: new Date(this.#clock.now()).toISOString(), message: `process ${child.pid} ended ${how}` };
    const again = delayAfter(this.#shortLives, policy.backOff);
    logger.error(
      { process: policy.name, pid: child.pid, ...ending, milliseconds: again },
      'the process has crashed: starting it again',
    );
    if (again === 0) {
      this.#begin();
      return;
    }
    this.#enter('waiting');
    this.#wait = this.#clock.after(again, () => this.#begin());
  }

  #enter(state: ProcessState['state']): void {
    this.#state = state;
    this.#options.changed();
  }
}
