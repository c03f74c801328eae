// SPDX-License-Identifier: Apache-2.0
// What a live director has counted, at one moment: two of them make rates. Read from memory that workers share, not asked.

import type { ServiceView } from '../director/ipvsadm/listing.ts';
import { type LiveDirector, reasons, type WorkerCounts } from '../director/live-director.ts';

export interface Measurement {
  /** Monotonic nanoseconds. */
  readonly at: number;
  readonly workers: readonly WorkerCounts[];
  readonly services: readonly ServiceView[];
  /** Those that occurred. */
  readonly reasons: readonly { readonly name: string; readonly verdict: string; readonly packets: number }[];
}

export function measure(liveDirector: LiveDirector): Measurement {
  const counts = liveDirector.counts();
  return {
    at: Number(process.hrtime.bigint()),
    workers: liveDirector.workers(),
    services: liveDirector.services(),
    reasons: reasons()
      .map(({ name, verdict }) => ({ name, verdict, packets: counts[name] ?? 0 }))
      .filter(({ packets }) => packets > 0),
  };
}
