// SPDX-License-Identifier: Apache-2.0
// One process that was started, as the supervisor sees it: what it says, whether it hangs, how it ends. A process that says
// what does not fit, that does not read what it is told, or that hangs, is killed; its end is then like any other.
import type { ChildProcess } from 'node:child_process';
import type { Clock } from '../core/clock.ts';
import type { Logger } from '../core/logger.ts';
import type { Fields, MessagePort } from '../core/messages.ts';
import { type SupervisorEnd, supervisorEnd, type toSupervisor } from './messages.ts';
import type { ProcessPolicy } from './process-policy.ts';
import { isStopped, Watch } from './watch.ts';

/** A process and its port of messages. */
export interface Launched {
  readonly child: ChildProcess;
  readonly port: MessagePort;
}

/** How a process ended. */
export interface Ending {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Why the supervisor has killed it. */
  readonly reason?: string;
}

/** What becomes of what a process says. */
export interface Heard {
  readonly ready: () => void;
  readonly refused: (fields: Fields<typeof toSupervisor, 'refused'>) => void;
  readonly reloading: () => void;
  readonly planes: (fields: Fields<typeof toSupervisor, 'planes'>) => void;
  readonly ask: (fields: Fields<typeof toSupervisor, 'ask'>) => void;
}

export interface StartedProcessOptions {
  readonly launch: () => Launched;
  readonly policy: ProcessPolicy;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class StartedProcess {
  readonly #child: ChildProcess;
  readonly #channel: SupervisorEnd;
  readonly #watch: Watch;
  readonly #options: StartedProcessOptions;
  #becamePrepared: () => void = () => undefined;
  /** It could work at once. */
  readonly prepared = new Promise<void>(resolve => {
    this.#becamePrepared = resolve;
  });
  #resolveEnded: () => void = () => undefined;
  readonly ended = new Promise<void>(resolve => {
    this.#resolveEnded = resolve;
  });
  #heard: Heard | undefined;
  #ended: (ending: Ending) => void = () => undefined;
  #reason: string | undefined;

  constructor(options: StartedProcessOptions) {
    const { launch, policy, clock, logger } = options;
    this.#options = options;
    const { child, port } = launch();
    this.#child = child;
    this.#channel = supervisorEnd(port);
    this.#watch = new Watch({
      clock,
      hangMilliseconds: policy.hangMilliseconds,
      isStopped: () => child.pid !== undefined && isStopped(child.pid),
      hung: milliseconds => this.#giveUp(`did not react for ${milliseconds / 1000} s`),
    });
    this.#listen();
    child.once('error', err => {
      logger.error({ err, process: policy.name }, 'the process could not be started');
      this.#end({ status: 1, signal: null });
    });
    child.once('exit', (status, signal) => this.#end({ status, signal }));
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  send: SupervisorEnd['send'] = (kind, fields) => this.#channel.send(kind, fields);

  /** Is called once, when the process has ended. */
  onEnd(ended: (ending: Ending) => void): void {
    this.#ended = ended;
  }

  /** From now on it may say what working processes say. */
  hear(heard: Heard): void {
    this.#heard = heard;
  }

  /** Asks it to end. Whether it hangs matters no more: whoever asks loses patience. */
  ask(): void {
    this.#watch.end();
    this.#child.kill('SIGTERM');
  }

  kill(): void {
    this.#watch.end();
    this.#child.kill('SIGKILL');
  }

  #listen(): void {
    const said = (what: (heard: Heard) => void): void => {
      if (this.#heard === undefined) this.#giveUp('spoke before its turn');
      else what(this.#heard);
    };
    this.#channel.listen(
      {
        alive: fields => this.#watch.alive(fields),
        prepared: () => this.#becamePrepared(),
        ready: () => said(({ ready }) => ready()),
        refused: fields => said(({ refused }) => refused(fields)),
        reloading: () => said(({ reloading }) => reloading()),
        planes: fields => said(({ planes }) => planes(fields)),
        ask: fields => said(({ ask }) => ask(fields)),
      },
      err => this.#giveUp('said something that does not fit', err),
    );
  }

  #giveUp(reason: string, err?: unknown): void {
    const { logger, policy } = this.#options;
    this.#reason = reason;
    logger.error(
      { process: policy.name, pid: this.pid, reason, ...(err === undefined ? {} : { err }) },
      'killing a process',
    );
    this.#channel.close();
    this.kill();
  }

  #end(ending: Ending): void {
    this.#watch.end();
    // What it has said before its end and nobody has read yet is of no use.
    this.#channel.close();
    const ended = this.#ended;
    this.#ended = () => undefined;
    ended(this.#reason === undefined ? ending : { ...ending, reason: this.#reason });
    this.#resolveEnded();
  }
}

export function howItEnded({ status, signal, reason }: Ending): string {
  if (reason !== undefined) return `${reason} and was killed`;
  return signal === null ? `ended with exit status ${status}` : `ended by ${signal}`;
}
