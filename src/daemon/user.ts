// SPDX-License-Identifier: Apache-2.0
// The ordinary user that processes without root's powers run as.
import { spawnSync } from 'node:child_process';
import { UsageError } from '../core/errors.ts';

export interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** Unless `sluice run` is told otherwise: sluice where the host has such a user, else nobody. */
export const defaultUsers = ['sluice', 'nobody'] as const;

/** The user of this name, or one of the default users. */
export function findUser(name: string | undefined): User {
  for (const candidate of name === undefined ? defaultUsers : [name]) {
    const [uid, gid] = [idOf('-u', candidate), idOf('-g', candidate)];
    if (uid !== undefined && gid !== undefined) return { name: candidate, uid, gid };
  }
  throw new UsageError('there is no such user', {
    value: name ?? defaultUsers.join(' or '),
    remedy: 'add the user (useradd --system sluice), or name another one with --user',
  });
}

/** Asks id(1), which knows users of directory services too. */
function idOf(which: '-u' | '-g', name: string): number | undefined {
  const { status, stdout } = spawnSync('id', [which, '--', name], { encoding: 'utf8' });
  return status === 0 ? Number(stdout) : undefined;
}

/** Whether a process of the user could read the files: a checkout below /root, for instance, it cannot. */
export function canRead({ uid, gid }: User, files: readonly string[]): boolean {
  const identity = [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'];
  return files.every(file => spawnSync('setpriv', [...identity, '--', 'test', '-r', file]).status === 0);
}
