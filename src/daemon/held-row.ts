// SPDX-License-Identifier: Apache-2.0
// What the supervisor holds for a row of the table: it outlives the processes of the row, and an upgrade.
import { chownSync, constants, linkSync, openSync, rmSync } from 'node:fs';
import { loadAddon } from '../native/addon.ts';
import type { HeldDescriptors } from './descriptors.ts';
import type { ProcessPolicy } from './process-policy.ts';
import type { User } from './user.ts';

export type HeldRow = Pick<HeldDescriptors, 'socket' | 'crashState' | 'openedFiles'>;

/** `owner`: who may connect to the socket at the path. */
export function makeRow({ openedFiles = [] }: ProcessPolicy, path: string, owner: User | undefined): HeldRow {
  const addon = loadAddon();
  const socket = addon.listenUnix(path);
  if (owner !== undefined) chownSync(path, owner.uid, owner.gid);
  return {
    socket,
    crashState: addon.crashStateSockets(),
    openedFiles: openedFiles.map(({ path }) => openOrNothing(path)),
  };
}

/** A row of the supervisor before. Its socket can be reached by this path too: that supervisor removes its own path. */
export function takeRow({ openedFiles = [] }: ProcessPolicy, given: HeldRow, before: string, path: string): HeldRow {
  if (before !== path) {
    // Of a process of the same number that was killed.
    rmSync(path, { force: true });
    linkSync(before, path);
  }
  const isSame = given.openedFiles.length === openedFiles.length;
  return isSame ? given : { ...given, openedFiles: openedFiles.map(({ path }) => openOrNothing(path)) };
}

export function descriptorsOf({ socket, crashState, openedFiles }: HeldRow): number[] {
  return [socket, ...crashState, ...openedFiles.filter(file => file !== undefined)];
}

/** A process says itself what it lacks, once it needs the file. */
function openOrNothing(path: string): number | undefined {
  try {
    return openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
}
