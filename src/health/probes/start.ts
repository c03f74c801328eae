// SPDX-License-Identifier: Apache-2.0
// All probes behind one StartProbe.
import type { Clock } from '../../core/clock.ts';
import type { ExchangeEvent, NativeProber } from '../../native/prober.ts';
import type { ClientKeys } from '../client-keys.ts';
import type { Probe } from '../model.ts';
import type { RunningProbe, StartProbe } from '../probe.ts';
import { createExchanges } from './exchange.ts';
import { createFileProbes } from './file.ts';
import { createGrpcProbes } from './grpc.ts';
import { createScriptProbes } from './script.ts';
import { createTlsProbes, isTlsDialogProbe } from './tls.ts';

export interface Probes {
  readonly start: StartProbe;
  /** Cancels all probes. */
  close(): void;
}

/** `makeProber` is `createProber` of src/native, unless a test has another one. */
export function createProbes(
  makeProber: (onEvents: (events: readonly ExchangeEvent[]) => void) => NativeProber,
  clock: Clock,
  keys: ClientKeys,
): Probes {
  const exchanges = createExchanges(makeProber, clock);
  const overTls = createTlsProbes(clock, keys);
  const inProcess = {
    grpc: createGrpcProbes(clock, keys),
    script: createScriptProbes(clock),
    file: createFileProbes(clock),
  };
  const starterOf = (probe: Probe): StartProbe => {
    if (probe.type === 'grpc' || probe.type === 'script' || probe.type === 'file') return inProcess[probe.type];
    return isTlsDialogProbe(probe) ? overTls : exchanges.start;
  };
  const running = new Set<RunningProbe>();
  return {
    start(check, to, done) {
      const probe = starterOf(check.probe)(check, to, result => {
        running.delete(probe);
        done(result);
      });
      running.add(probe);
      return {
        cancel() {
          running.delete(probe);
          probe.cancel();
        },
      };
    },
    close() {
      for (const probe of running) probe.cancel();
      running.clear();
      exchanges.close();
    },
  };
}
