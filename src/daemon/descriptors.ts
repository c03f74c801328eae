// SPDX-License-Identifier: Apache-2.0
// The numbers under which a process of `sluice run` finds what the supervisor holds for it. It inherits them when it is
// started: no descriptor is sent over the channel.
import type { StdioOptions } from 'node:child_process';

/** The end of a pair of sockets for messages to and from the supervisor (src/core/message-frames.ts). */
export const channelDescriptor = 3;
export const socketDescriptor = 4;
/** The ends into which a process gives and from which the next one takes (native/engine/crash_state.h). */
export const crashStateDescriptors = [5, 6] as const;

/**
 * The one folder that a process may write to: of control the history, of a plane the captures of crashes. A process
 * reaches it by this number although its path may lead through folders that its user cannot enter.
 */
export const folderDescriptor = 7;

/** The folder as a path. */
export const folderPath = `/proc/self/fd/${folderDescriptor}`;

/** Where a process finds so many files that were opened for it. */
export function openedFileDescriptors(count: number): number[] {
  return Array.from({ length: count }, (_, index) => folderDescriptor + 1 + index);
}

/** What the supervisor holds for one row of the table, whichever process works. */
export interface HeldDescriptors {
  /** Where it logs to. */
  readonly log: number;
  readonly socket: number;
  readonly crashState: readonly [number, number];
  /** undefined: there is none. */
  readonly folder: number | undefined;
  /** undefined: it could not be opened. */
  readonly openedFiles: readonly (number | undefined)[];
}

/** The standard streams, the channel, and what is held. */
export function standardStreams({ log, socket, crashState, folder, openedFiles }: HeldDescriptors): StdioOptions {
  const files = openedFiles.map(file => file ?? 'ignore');
  // 'pipe' is a pair of sockets, for both directions.
  return ['ignore', 'inherit', log, 'pipe', socket, ...crashState, folder ?? 'ignore', ...files];
}
