// SPDX-License-Identifier: Apache-2.0
// Starts a process with the rights that its policy gives it and no others. setpriv(1), of util-linux, gives up root's
// powers before Node starts: a process cannot do so for all of its threads once they run. The ambient set carries the
// capabilities over the change of the user; the bounding set and no_new_privs keep others from coming back.
import { spawn } from 'node:child_process';
import { Duplex, PassThrough } from 'node:stream';
import { channelDescriptor, type HeldDescriptors, standardStreams } from './descriptors.ts';
import { childEnvironment } from './environment.ts';
import { supervisorPort } from './messages.ts';
import type { ProcessPolicy } from './process-policy.ts';
import type { Launched } from './started-process.ts';
import type { User } from './user.ts';

type Rights = Pick<ProcessPolicy, 'capabilities'>;

/** `user` undefined: the process keeps the user of the supervisor, and of its powers only the policy's. */
export function launch(
  command: readonly string[],
  rights: Rights,
  user: User | undefined,
  held: HeldDescriptors,
): Launched {
  const [program = process.execPath, ...args] = [...confinement(rights, user), ...command];
  const child = spawn(program, args, {
    // A group of its own: Ctrl-C is for the supervisor, which ends the others in order.
    detached: true,
    env: childEnvironment(process.env),
    stdio: standardStreams(held),
  });
  // Without descriptors left there is no stream either; the event 'error' says why.
  const stream = child.stdio?.[channelDescriptor];
  return { child, port: supervisorPort(stream instanceof Duplex ? stream : new PassThrough().destroy()) };
}

/** The words before a command that confine it; none where there is no power to give up. */
export function confinement({ capabilities }: Rights, user: User | undefined): string[] {
  if (process.getuid?.() !== 0) return [];
  const set = ['-all', ...capabilities.map(({ capability }) => `+${capability}`)].join(',');
  const identity = user === undefined ? [] : [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups'];
  const sets = ['inh-caps', 'ambient-caps', 'bounding-set'].map(name => `--${name}=${set}`);
  return ['setpriv', ...identity, ...sets, '--no-new-privs', '--'];
}
