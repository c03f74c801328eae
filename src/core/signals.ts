// SPDX-License-Identifier: Apache-2.0
// What a service does on the signals that ask it to end: the first one stops it in good order, a second one ends it now.
import type { Logger } from './logger.ts';

const endSignals = { SIGINT: 2, SIGTERM: 15 } as const;
type EndSignal = keyof typeof endSignals;

/** The parts of `process` that signals need. */
export interface SignalSource {
  on(signal: EndSignal, listener: (signal: EndSignal) => void): unknown;
  off(signal: EndSignal, listener: (signal: EndSignal) => void): unknown;
  exit(status: number): unknown;
}

export interface SignalOptions {
  readonly logger: Logger;
  /** Begins the stop; called once. */
  readonly stop: () => void;
  readonly source?: SignalSource;
}

/** Listens for SIGINT and SIGTERM. Returns a function that stops listening. */
export function stopOnSignals({ logger, stop, source = process }: SignalOptions): () => void {
  let asked = false;
  const listener = (signal: EndSignal): void => {
    if (asked) {
      logger.warn({ signal }, 'asked to end a second time: ending now');
      // What a shell reports for a program that the signal killed.
      source.exit(128 + endSignals[signal]);
      return;
    }
    asked = true;
    logger.info({ signal }, 'asked to end: stopping');
    stop();
  };
  const signals = Object.keys(endSignals) as EndSignal[];
  for (const signal of signals) source.on(signal, listener);
  return () => {
    for (const signal of signals) source.off(signal, listener);
  };
}
