// SPDX-License-Identifier: Apache-2.0
import { ownIds, remove } from './run.ts';

/** The exit status that a shell reports for a program that the signal killed. */
const statusOf = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Makes a signal that ends this process remove its topologies first. */
export function removeOnSignals(): void {
  for (const signal of signals) process.once(signal, () => removeAndEnd(signal));
}

function removeAndEnd(signal: keyof typeof statusOf): never {
  for (const id of ownIds()) remove(id);
  process.exit(statusOf[signal]);
}
