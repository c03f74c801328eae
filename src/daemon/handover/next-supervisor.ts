// SPDX-License-Identifier: Apache-2.0
// The next supervisor, as the one that runs sees it: `sluice run` started anew with the same words, of the files that are
// on disk now. Whatever becomes of it, the one that runs can go on.
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { Duplex, PassThrough } from 'node:stream';
import type { Clock } from '../../core/clock.ts';
import { UnavailableError } from '../../core/errors.ts';
import { type Handover, handoverDescriptor, handoverVariable, previousEnd } from './messages.ts';
import { renumbered } from './renumbered.ts';

/** Starting five processes takes seconds on a busy machine. Nothing waits for them. */
const prepareMilliseconds = 300_000;
/** Restoring a million flows and tens of thousands of services takes seconds, too. */
const workMilliseconds = 30_000;

export class NextSupervisor {
  readonly #clock: Clock;
  readonly #child: ChildProcess;
  readonly #channel: ReturnType<typeof previousEnd>;
  /** Rejects when it can be no next supervisor any more. */
  readonly #failed: Promise<never>;
  readonly #works: Promise<void>;
  /** Rejects when it cannot take over. */
  readonly prepared: Promise<void>;

  /** `held`: with the descriptors of this process. */
  constructor(held: Handover, clock: Clock) {
    this.#clock = clock;
    const { handover, descriptors } = renumbered(held);
    this.#child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
      // systemd's watchdog waits for the process that it has started until it is told of another one.
      env: { ...process.env, [handoverVariable]: String(handoverDescriptor), WATCHDOG_PID: undefined },
      stdio: ['ignore', 'inherit', 'inherit', 'pipe', ...descriptors],
    });
    // Without descriptors left there is no stream either; the event 'error' says why.
    const stream = this.#child.stdio?.[handoverDescriptor];
    this.#channel = previousEnd(stream instanceof Duplex ? stream : new PassThrough().destroy());
    let fail: (why: string) => void = () => undefined;
    this.#failed = new Promise((_, reject) => {
      fail = why => reject(new UnavailableError(`the new build ${why}`, { remedy: 'the one that ran goes on' }));
    });
    this.#failed.catch(() => undefined);
    this.#child.once('error', ({ message }) => fail(`could not be started: ${message}`));
    this.#child.once('exit', (status, signal) =>
      fail(`ended ${signal === null ? `with exit status ${status}` : `by ${signal}`}`),
    );
    let [isPrepared, works] = [(): void => undefined, (): void => undefined];
    const saidPrepared = new Promise<void>(resolve => {
      isPrepared = resolve;
    });
    this.#works = new Promise(resolve => {
      works = resolve;
    });
    this.#channel.listen(
      { prepared: isPrepared, works, refused: ({ message }) => fail(`refuses: ${message}`) },
      error => fail(`says what does not fit: ${error instanceof Error ? error.message : error}`),
    );
    this.#channel.send('handover', handover);
    this.prepared = this.#inTime(saidPrepared, prepareMilliseconds, 'was not prepared');
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Resolves when all that worked before works again. The processes of this supervisor have ended. */
  takeOver(reload: boolean): Promise<void> {
    this.#channel.send('takeOver', { reload });
    return this.#inTime(this.#works, workMilliseconds, 'did not work');
  }

  /** This process can end without it. */
  leave(): void {
    this.#channel.close();
    this.#child.unref();
  }

  get isAlive(): boolean {
    const { exitCode, signalCode } = this.#child;
    return this.pid !== undefined && exitCode === null && signalCode === null;
  }

  /**
   * Kills it with its processes. Those that ended in good order would take from the crash state what the processes of this
   * supervisor go on with, and one that hangs would not end at all.
   */
  async kill(): Promise<void> {
    if (!this.isAlive || this.pid === undefined) return;
    const ended = new Promise(resolve => this.#child.once('exit', resolve));
    // It cannot start any of them again.
    this.#child.kill('SIGSTOP');
    for (const pid of childrenOf(this.pid)) killIfThere(pid);
    this.#child.kill('SIGKILL');
    await ended;
  }

  async #inTime(said: Promise<void>, milliseconds: number, what: string): Promise<void> {
    let timer: { cancel(): void } | undefined;
    const late = new Promise<never>((_, reject) => {
      const error = new UnavailableError(`the new build ${what} within ${milliseconds / 1000} s`, {
        remedy: 'the one that ran goes on',
      });
      timer = this.#clock.after(milliseconds, () => reject(error));
    });
    try {
      await Promise.race([said, this.#failed, late]);
    } finally {
      timer?.cancel();
    }
  }
}

function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
