// SPDX-License-Identifier: Apache-2.0
// Rates a second, from two measurements.
import type { AnswerOf } from '../../core/api/route.ts';
import type { directorTop } from '../../director/api.ts';
import type { Counters } from '../../director/ipvsadm/listing.ts';
import { serverKey, serviceKey } from '../../director/model.ts';

export type Measurement = AnswerOf<typeof directorTop>;

export interface WorkerRates {
  readonly name: string;
  /** The share of time in which the worker did not sleep, 0 to 1. */
  readonly awake: number;
  readonly received: number;
  readonly receivedBytes: number;
  readonly transmitted: number;
  readonly transmittedBytes: number;
}

export interface ReasonRate {
  readonly name: string;
  readonly verdict: string;
  /** Packets so far. */
  readonly packets: number;
  readonly perSecond: number;
}

export interface Rates {
  /** Time between the two measurements. */
  readonly seconds: number;
  readonly workers: readonly WorkerRates[];
  readonly services: Measurement['services'];
  readonly reasons: readonly ReasonRate[];
}

export function ratesBetween(before: Measurement, now: Measurement): Rates {
  const seconds = (now.at - before.at) / 1e9;
  // A counter that has become smaller was set to zero meanwhile: it counts from zero.
  const rate = (from: number | bigint = 0, to: number | bigint = 0): number =>
    (Number(to) - (Number(from) > Number(to) ? 0 : Number(from))) / seconds;
  const ratesOf = (from: Counters | undefined, to: Counters): Counters<number> => ({
    connections: rate(from?.connections, to.connections),
    packetsIn: rate(from?.packetsIn, to.packetsIn),
    packetsOut: rate(from?.packetsOut, to.packetsOut),
    bytesIn: rate(from?.bytesIn, to.bytesIn),
    bytesOut: rate(from?.bytesOut, to.bytesOut),
  });
  const services = new Map(before.services.map(service => [serviceKey(service.identity), service]));
  const workers = new Map(before.workers.map(worker => [worker.name, worker]));
  const reasons = new Map(before.reasons.map(reason => [reason.name, reason.packets]));
  return {
    seconds,
    workers: now.workers.map(worker => {
      const from = workers.get(worker.name);
      return {
        name: worker.name,
        awake: Math.min(rate(from?.awakeNanoseconds, worker.awakeNanoseconds) / 1e9, 1),
        received: rate(from?.received, worker.received),
        receivedBytes: rate(from?.receivedBytes, worker.receivedBytes),
        transmitted: rate(from?.transmitted, worker.transmitted),
        transmittedBytes: rate(from?.transmittedBytes, worker.transmittedBytes),
      };
    }),
    services: now.services.map(service => {
      const from = services.get(serviceKey(service.identity));
      const servers = new Map(from?.servers.map(server => [serverKey(server), server.counters]));
      return {
        ...service,
        // A new service has no earlier counters, so its rates are zero.
        rates: ratesOf(from?.counters ?? service.counters, service.counters),
        servers: service.servers.map(server => ({
          ...server,
          rates: ratesOf(servers.get(serverKey(server)) ?? server.counters, server.counters),
        })),
      };
    }),
    reasons: now.reasons.map(({ name, verdict, packets }) => {
      return { name, verdict, packets, perSecond: rate(reasons.get(name), packets) };
    }),
  };
}
