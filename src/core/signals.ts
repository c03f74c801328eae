// SPDX-License-Identifier: Apache-2.0
// The reaction to the signals that ask a service to end. The first signal stops the service in good order. A second
// signal ends the process at once.
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
  /** Begins the stop. It is called once. */
  readonly stop: () => void;
  readonly source?: SignalSource;
}

/** Listens for SIGINT and SIGTERM. Returns a function that stops listening. */
export function stopOnSignals({ logger, stop, source = process }: SignalOptions): () => void {
  let asked = false;
  const listener = (signal: EndSignal): void => {
    if (asked) {
      logger.warn({ signal }, 'asked to end a second time: ending now');
      // A shell reports this status for a program that was killed by the signal.
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
