// SPDX-License-Identifier: Apache-2.0
// The next supervisor inherits what is handed over under other numbers: one after the other behind the channel.
import { type Handover, handoverDescriptor } from './messages.ts';

/** The handover with the numbers of the next process, and the descriptors in this order. */
export function renumbered(held: Handover): { readonly handover: Handover; readonly descriptors: readonly number[] } {
  const descriptors: number[] = [];
  const next = (descriptor: number): number => handoverDescriptor + descriptors.push(descriptor);
  const { history, crashes } = held.folders;
  const handover: Handover = {
    ...held,
    rows: held.rows.map(({ crashState: [giving, taking], ...row }) => ({
      ...row,
      socket: next(row.socket),
      crashState: [next(giving), next(taking)],
      openedFiles: row.openedFiles.map(file => (file === null ? null : next(file))),
    })),
    folders: {
      ...(history === undefined ? {} : { history: next(history) }),
      ...(crashes === undefined ? {} : { crashes: next(crashes) }),
    },
  };
  return { handover, descriptors };
}
