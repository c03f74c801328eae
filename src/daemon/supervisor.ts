// SPDX-License-Identifier: Apache-2.0
// Two processes: one that works, and its parent, which starts another when it ends unexpectedly. The parent does nothing
// else, and has nothing that could fail; what is to outlive the working process lies in sockets that the parent holds
// (native/engine/keepsakes.h).
import { type ChildProcess, spawn } from 'node:child_process';
import type { Logger } from '../core/logger.ts';
import { loadAddon } from '../native/addon.ts';
import type { NativeKeepsakes } from '../native/data-path.ts';

/** Tells the working process which descriptors are its ends of the sockets. */
const variable = 'SLUICE_KEEPSAKES';
const [givingEnd, takingEnd] = [3, 4];

/** A process that ends sooner than this after its start is not started again at once. */
const shortLifeMilliseconds = 1000;
/** After so many short lives in a row, what they have from each other may be what ends them. */
const shortLivesUntilForgotten = 3;

/** The working process's part of what its parent holds; undefined in a process without such a parent. */
export function inheritedKeepsakes(): NativeKeepsakes | undefined {
  const held = process.env[variable];
  if (held === undefined) return undefined;
  const keepsakes = new (loadAddon().Keepsakes)(givingEnd, takingEnd);
  if (held === 'forget') keepsakes.withdraw();
  return keepsakes;
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
  const sockets = loadAddon().keepsakeSockets();
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
      child = spawn(program, words, {
        stdio: ['inherit', 'inherit', 'inherit', ...sockets, 'ipc'],
        env: { ...process.env, [variable]: shortLives < shortLivesUntilForgotten ? 'keep' : 'forget' },
        // A group of its own: Ctrl-C is for the parent, which passes it on.
        detached: true,
      });
      child.once('message', () => {
        hasWorked = true;
      });
      const { status, signal } = await ending(child);
      const isExpected = signal === null && (status === 0 || !hasWorked);
      if (isExpected || isEnding) return status ?? 1;
      const lived = performance.now() - began;
      shortLives = lived < shortLifeMilliseconds ? shortLives + 1 : 0;
      logger.error({ signal, status, pid: child.pid }, 'the data path has crashed: starting it again');
      if (shortLives > 0) await new Promise(resolve => setTimeout(resolve, shortLifeMilliseconds));
      if (isEnding) return 1;
    }
  } finally {
    for (const signal of signals) process.off(signal, pass);
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
