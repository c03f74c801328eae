// SPDX-License-Identifier: Apache-2.0
// A process that works, one that stands by with all its code loaded, the kernel's included, and their parent, which tells the latter to work when
// the former ends unexpectedly: a new process would need a second of a CPU before it could begin. The parent does
// nothing else, and has nothing that could fail; what is to outlive the working process lies in sockets that the parent
// holds (native/engine/crash_state.h).
import { type ChildProcess, spawn } from 'node:child_process';
import type { Logger } from '../core/logger.ts';
import { type Addon, loadAddon } from '../native/addon.ts';
import type { NativeCrashState } from '../native/live-director.ts';

/** Set for the processes that such a parent starts. */
const variable = 'SLUICE_CRASH_STATE';
/** Their ends of the sockets. */
const [givingEnd, takingEnd] = [3, 4];

/** What the parent says to the process that is to work: whether it carries on what the one before has left. */
type Turn = 'keep' | 'forget';

/** A process that ends sooner than this after its start is not started again at once. */
const shortLifeMilliseconds = 1000;
/** After so many short lives in a row, what they have from each other may be what ends them. */
const shortLivesUntilForgotten = 3;

/** The working process's part of what its parent holds, once it is to work; undefined in one without such a parent. */
export async function inheritedCrashState(
  options: Parameters<Addon['prepareStealing']>[0],
): Promise<NativeCrashState | undefined> {
  if (process.env[variable] === undefined) return undefined;
  const addon = loadAddon();
  addon.prepareStealing(options);
  const turn = await ownTurn();
  const crashState = new addon.CrashState(givingEnd, takingEnd);
  if (turn === 'forget') crashState.withdraw();
  return crashState;
}

/** A process that stands by when its parent ends has nothing to do any more. */
function ownTurn(): Promise<Turn> {
  return new Promise(resolve => {
    const end = (): void => process.exit(0);
    process.once('disconnect', end);
    process.once('message', turn => {
      process.off('disconnect', end);
      resolve(turn === 'forget' ? 'forget' : 'keep');
    });
  });
}

/** Calls `stop` when the parent is no more. */
export function stopWithParent(stop: () => void): void {
  process.once('disconnect', stop);
  // To wait for it is no reason to live.
  process.channel?.unref();
}

/** That this process works, so that its end would be unexpected from now on. */
export function tellParent(): void {
  process.send?.('ready');
}

export interface SupervisorOptions {
  readonly logger: Logger;
  /** Of `process`, unless given. */
  readonly command?: readonly string[];
}

/**
 * Runs this very command again as a child, and once more whenever it ends unexpectedly: by a signal that nobody sent
 * through this process, or, once one has worked, with any status but 0, which is that of a child that was told to end.
 * What fails at its first start (permission, an interface) would fail again. Resolves with the exit status of the last
 * one.
 */
export async function supervise({ logger, command = ownCommand() }: SupervisorOptions): Promise<number> {
  const [program = process.execPath, ...words] = command;
  const sockets = loadAddon().crashStateSockets();
  const start = (): ChildProcess =>
    spawn(program, words, {
      stdio: ['inherit', 'inherit', 'inherit', ...sockets, 'ipc'],
      env: { ...process.env, [variable]: 'held' },
      // A group of its own: Ctrl-C is for the parent, which passes it on.
      detached: true,
    });
  const reserve = new Reserve(start);
  let child: ChildProcess | undefined;
  let isEnding = false;
  let hasWorked = false;
  const pass = (signal: NodeJS.Signals): void => {
    isEnding ||= signal !== 'SIGHUP';
    child?.kill(signal);
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, pass);
  try {
    for (let shortLives = 0; ; ) {
      const began = performance.now();
      child = reserve.take();
      child.once('message', () => {
        hasWorked = true;
        reserve.fill();
      });
      const turn: Turn = shortLives < shortLivesUntilForgotten ? 'keep' : 'forget';
      // One that is no more by now has ended, which is told by that.
      child.send(turn, () => undefined);
      const { status, signal } = await ending(child);
      const isExpected = signal === null && (status === 0 || !hasWorked);
      if (isExpected || isEnding) return status ?? 1;
      const lived = performance.now() - began;
      shortLives = lived < shortLifeMilliseconds ? shortLives + 1 : 0;
      logger.error({ signal, status, pid: child.pid }, 'the director has crashed: starting it again');
      if (shortLives > 0) await new Promise(resolve => setTimeout(resolve, shortLifeMilliseconds));
      if (isEnding) return 1;
    }
  } finally {
    reserve.dismiss();
    for (const signal of signals) process.off(signal, pass);
  }
}

/** The process that stands by, where there is one. */
class Reserve {
  readonly #start: () => ChildProcess;
  #process: ChildProcess | undefined;

  constructor(start: () => ChildProcess) {
    this.#start = start;
  }

  fill(): void {
    const started = this.#start();
    this.#process = started;
    const forget = (): void => {
      if (this.#process === started) this.#process = undefined;
    };
    started.once('exit', forget);
    started.once('error', forget);
  }

  /** The one that stands by, or a new one. */
  take(): ChildProcess {
    const taken = this.#process ?? this.#start();
    this.#process = undefined;
    return taken;
  }

  dismiss(): void {
    this.#process?.kill();
  }
}

function ownCommand(): string[] {
  return [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
}

function ending(child: ChildProcess): Promise<{ status: number | null; signal: NodeJS.Signals | null }> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (status, signal) => resolve({ status, signal }));
  });
}
