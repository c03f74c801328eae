// SPDX-License-Identifier: Apache-2.0
// Starts a process with the rights that its policy gives it and no others. setpriv(1), of util-linux, gives up root's
// powers before Node starts: a process cannot do so for all of its threads once they run. The ambient set carries the
// capabilities over the change of the user; the bounding set and no_new_privs keep others from coming back.
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import type { ProcessPolicy } from './process-policy.ts';
import type { User } from './user.ts';

type Rights = Pick<ProcessPolicy, 'capabilities'>;

/** `user` undefined: the process keeps the user of the supervisor, and of its powers only the policy's. */
export function launch(
  command: readonly string[],
  rights: Rights,
  user: User | undefined,
  options: SpawnOptions,
): ChildProcess {
  const [program = process.execPath, ...args] = [...confinement(rights, user), ...command];
  return spawn(program, args, options);
}

/** The words before a command that confine it; none where there is no power to give up. */
export function confinement({ capabilities }: Rights, user: User | undefined): string[] {
  if (process.getuid?.() !== 0) return [];
  const set = ['-all', ...capabilities.map(({ capability }) => `+${capability}`)].join(',');
  const identity = user === undefined ? [] : [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups'];
  const sets = ['inh-caps', 'ambient-caps', 'bounding-set'].map(name => `--${name}=${set}`);
  return ['setpriv', ...identity, ...sets, '--no-new-privs', '--'];
}
