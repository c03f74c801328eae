// SPDX-License-Identifier: Apache-2.0
import { ownIds, remove } from './run.ts';

/** The exit status that a shell reports for a program that the signal killed. */
const statusOf = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Makes a signal that ends this process remove its topologies first. */
export function removeOnSignals(): void {
  for (const signal of signals) process.once(signal, () => removeAndEnd(signal));
}

/** The same, and at any other end of this process but SIGKILL: an error that nobody has caught, say. */
export function removeAtEnd(): void {
  removeOnSignals();
  process.once('exit', removeOwn);
}

function removeOwn(): void {
  for (const id of ownIds()) remove(id);
}

function removeAndEnd(signal: keyof typeof statusOf): never {
  removeOwn();
  process.exit(statusOf[signal]);
}
