// SPDX-License-Identifier: Apache-2.0
// The folder on disk in which a Sluice keeps what outlives it: the history, and captures of crashes. A folder that cannot
// be used ends nothing: packets are forwarded without it, and a warning says what is missing.
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, constants, existsSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { defaultSocket } from '../control/api.ts';
import { HostError } from '../core/errors.ts';
import type { User } from './user.ts';

/** The descriptors of the folders; undefined where there is none. */
export interface OpenFolders {
  readonly history: number | undefined;
  readonly crashes: number | undefined;
}

const ownerOnly = 0o700;
const usualFolder = '/var/lib/sluice';

/** Several Sluices of one host have a socket each, and so a folder each. */
export function defaultStateFolder(socket: string): string {
  return socket === defaultSocket ? usualFolder : `${socket}.state`;
}

export function stateFolders(folder: string): { readonly history: string; readonly crashes: string } {
  return { history: join(folder, 'history'), crashes: join(folder, 'crashes') };
}

/**
 * Makes the folders where there are none, for the user that writes them, and opens them. Throws when another Sluice uses
 * the history. `handed`: what the supervisor before has open.
 */
export function openStateFolders(
  folder: string,
  user: User | undefined,
  handed: OpenFolders = { history: undefined, crashes: undefined },
): { readonly folders: OpenFolders; readonly warnings: readonly string[] } {
  const { history, crashes } = stateFolders(folder);
  const warnings: string[] = [];
  const open = (path: string, lacks: string): number | undefined => {
    try {
      return openFolder(path, user);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      warnings.push(`${lacks}: ${path} cannot be used (${reason}): mend it or name another folder with --state`);
      return undefined;
    }
  };
  const folders = {
    history: handed.history ?? open(history, 'there is no history, and nothing may change while sluice runs'),
    crashes: handed.crashes ?? open(crashes, 'no captures of crashes are kept'),
  };
  // The lock belongs to what is open, and is handed over with it.
  if (folders.history !== undefined && handed.history === undefined && !isLocked(folders.history)) {
    throw new HostError('another sluice keeps its history in this folder', {
      value: history,
      remedy: 'stop that one, or choose another folder with --state',
    });
  }
  return { folders, warnings };
}

function openFolder(path: string, user: User | undefined): number {
  const isMade = makeFolder(path);
  if (isMade) chmodSync(path, ownerOnly);
  if (isMade && user !== undefined) chownSync(path, user.uid, user.gid);
  // A folder that was there keeps its owner.
  const { uid, gid, mode } = statSync(path);
  const canWrite =
    user === undefined ||
    (uid === user.uid && mode & 0o200) ||
    (gid === user.gid && mode & 0o020) ||
    mode & 0o002 ||
    user.uid === 0;
  if (!canWrite) throw new Error(`the user ${user.name} cannot write to it: chown ${user.name} ${path}`);
  return openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
}

/** Makes the folder and those above it. Whether it was not there. Node's own way never ends in /proc. */
function makeFolder(path: string): boolean {
  if (existsSync(path)) return false;
  if (dirname(path) !== path) makeFolder(dirname(path));
  mkdirSync(path, { mode: 0o755 });
  return true;
}

/**
 * Locks the folder for as long as any process has this descriptor. flock(1) locks what it inherits, and the lock stays
 * when it ends.
 */
function isLocked(descriptor: number): boolean {
  const { status } = spawnSync('flock', ['--exclusive', '--nonblock', '3'], {
    stdio: ['ignore', 'ignore', 'ignore', descriptor],
  });
  return status === 0;
}
