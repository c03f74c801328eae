// SPDX-License-Identifier: Apache-2.0
// What a data path has counted, at one moment: two of them make rates. Read from memory that workers share, not asked.
import { type DataPath, reasons, type WorkerCounts } from '../lvs/data-path.ts';
import type { ServiceView } from '../lvs/ipvsadm/listing.ts';

export interface Measurement {
  /** Monotonic nanoseconds. */
  readonly at: number;
  readonly workers: readonly WorkerCounts[];
  readonly services: readonly ServiceView[];
  /** Those that occurred. */
  readonly reasons: readonly { readonly name: string; readonly verdict: string; readonly packets: number }[];
}

export function measure(dataPath: DataPath): Measurement {
  const counts = dataPath.counts();
  return {
    at: Number(process.hrtime.bigint()),
    workers: dataPath.workers(),
    services: dataPath.services(),
    reasons: reasons()
      .map(({ name, verdict }) => ({ name, verdict, packets: counts[name] ?? 0 }))
      .filter(({ packets }) => packets > 0),
  };
}
