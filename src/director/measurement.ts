// SPDX-License-Identifier: Apache-2.0
// What a live director has counted until one moment. Two measurements make rates. All of it is read from memory that the
// workers share: no worker is asked.
import type { AnswerOf } from '../core/api/route.ts';
import type { directorTop } from './api.ts';
import { type LiveDirector, reasons } from './live-director.ts';

export type Measurement = AnswerOf<typeof directorTop>;

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
