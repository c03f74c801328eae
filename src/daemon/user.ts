// SPDX-License-Identifier: Apache-2.0
// The ordinary user that processes without root's powers run as.
import { spawnSync } from 'node:child_process';
import { userInfo } from 'node:os';
import { UsageError } from '../core/errors.ts';

export interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** The user of this name. */
export function findUser(name: string): User {
  const [uid, gid] = [idOf('-u', name), idOf('-g', name)];
  if (uid !== undefined && gid !== undefined) return { name, uid, gid };
  throw new UsageError('there is no such user', {
    value: name,
    remedy: `add the user (useradd --system ${name}), or name another one with --user or process.user`,
  });
}

/** The user of this process; the number of one that has no name. */
export function ownUserName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.());
  }
}

/** Asks id(1), which knows users of directory services too. */
function idOf(which: '-u' | '-g', name: string): number | undefined {
  const { status, stdout } = spawnSync('id', [which, '--', name], { encoding: 'utf8' });
  return status === 0 ? Number(stdout) : undefined;
}

/** Whether a process of the user could read the file: one in a checkout below /root, for instance, it cannot. */
export function canRead({ uid, gid }: User, file: string): boolean {
  const identity = [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'];
  return spawnSync('setpriv', [...identity, '--', 'test', '-r', file]).status === 0;
}
