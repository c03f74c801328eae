// SPDX-License-Identifier: Apache-2.0
// The metrics of a live director. Nearly all of it is read from memory that the workers share; for the use of flow tables
// and pools each worker stands still for some microseconds.
import {
  BoundedRows,
  type CountedRow,
  countersOf,
  gaugesOf,
  labelledCountersOf,
} from '../core/metrics/bounded-rows.ts';
import { type Metric, metric, type Sample } from '../core/metrics/family.ts';
import type { StatisticsPage } from '../native/statistics-page.ts';
import { type LiveDirector, reasons } from './live-director.ts';
import * as families from './metric-families.ts';
import { serverKey, serviceKey } from './model.ts';
import type { Occupancy } from './occupancy.ts';
import type { CountedService } from './views.ts';

/** What is asked of a live director. */
export type MeasuredDirector = Pick<LiveDirector, 'model' | 'services' | 'counts' | 'ports' | 'occupancy'> & {
  readonly statistics: Pick<StatisticsPage, 'blocks' | 'read'>;
};

/** The counters of a row, in this order. */
const counterNames = ['connections', 'packetsIn', 'packetsOut', 'bytesIn', 'bytesOut'] as const;
const directions = ['in', 'out'] as const;

export class DirectorMetrics {
  readonly #services = new BoundedRows(families.mostServices);
  readonly #servers = new BoundedRows(families.mostServers);
  readonly #addresses = new BoundedRows(families.mostLocalAddresses);
  readonly #pools = new BoundedRows(families.mostPools);

  collect(director: MeasuredDirector): Metric[] {
    const services = director.services();
    const servers = services.flatMap(serverRows);
    return [
      metric(families.services, [{ labels: [], value: services.length }]),
      metric(families.servers, [{ labels: [], value: servers.length }]),
      ...serviceMetrics(this.#services.take(services.map(serviceRow))),
      ...serverMetrics(this.#servers.take(servers)),
      packetMetric(director.counts()),
      ...workerMetrics(director.statistics),
      ...portMetrics(director.ports()),
      ...this.#occupancyMetrics(director.occupancy(), director.model),
    ];
  }

  #occupancyMetrics({ flows, pools }: Occupancy, { limits, pools: configured }: MeasuredDirector['model']): Metric[] {
    const present = new Set(configured.map(({ name }) => name));
    // Pools that were removed are here until their flows have ended.
    const shown = pools.filter(({ name, addresses }) => present.has(name) || addresses.length > 0);
    const rows = this.#addresses.take(
      shown.flatMap(({ name, addresses }) =>
        addresses.map(({ address, usedPorts, freePorts, flows: all }) => ({
          labels: [name, address],
          counters: [],
          gauges: [usedPorts, freePorts, all],
        })),
      ),
    );
    const poolRows = this.#pools.take(
      shown.map(({ name, misses }) => ({ labels: [name], counters: [misses], gauges: [] })),
    );
    const own = new Set(poolRows.map(({ labels: [name] }) => name));
    return [
      metric(families.flows, [
        { labels: ['ipv4'], value: flows.ipv4 },
        { labels: ['ipv6'], value: flows.ipv6 },
      ]),
      metric(families.flowsLimit, [{ labels: [], value: limits.flows }]),
      metric(families.poolUsedPorts, gaugesOf(rows, 0)),
      metric(families.poolFreePorts, gaugesOf(rows, 1)),
      metric(families.poolFlows, gaugesOf(rows, 2)),
      metric(
        families.poolMissed,
        poolRows.map(({ labels, counters: [misses = 0] }) => ({ labels, value: misses })),
      ),
      metric(
        families.poolFullest,
        shown.filter(({ name }) => own.has(name)).map(({ name, fullest }) => ({ labels: [name], value: fullest })),
      ),
    ];
  }
}

const isUp = ({ weight }: { readonly weight: number }): boolean => weight > 0;

function serviceRow({ identity, counters, servers }: CountedService): CountedRow {
  const sum = (count: 'active' | 'inactive'): number => servers.reduce((total, server) => total + server[count], 0);
  return {
    labels: [serviceKey(identity)],
    counters: counterNames.map(name => counters[name]),
    gauges: [sum('active'), sum('inactive'), servers.length, servers.filter(isUp).length],
  };
}

function serverRows({ identity, servers }: CountedService): CountedRow[] {
  return servers.map(server => ({
    labels: [serviceKey(identity), serverKey(server)],
    counters: counterNames.map(name => server.counters[name]),
    gauges: [server.active, server.inactive, server.persistent, server.weight, isUp(server) ? 1 : 0],
  }));
}

function serviceMetrics(rows: readonly CountedRow[]): Metric[] {
  return [
    metric(families.serviceConnections, countersOf(rows, 0)),
    metric(families.servicePackets, labelledCountersOf(rows, 1, directions)),
    metric(families.serviceBytes, labelledCountersOf(rows, 3, directions)),
    metric(families.serviceActive, gaugesOf(rows, 0)),
    metric(families.serviceInactive, gaugesOf(rows, 1)),
    metric(families.serviceServers, gaugesOf(rows, 2)),
    metric(families.serviceUpServers, gaugesOf(rows, 3)),
  ];
}

function serverMetrics(rows: readonly CountedRow[]): Metric[] {
  return [
    metric(families.serverConnections, countersOf(rows, 0)),
    metric(families.serverPackets, labelledCountersOf(rows, 1, directions)),
    metric(families.serverBytes, labelledCountersOf(rows, 3, directions)),
    metric(families.serverActive, gaugesOf(rows, 0)),
    metric(families.serverInactive, gaugesOf(rows, 1)),
    metric(families.serverPersistent, gaugesOf(rows, 2)),
    metric(families.serverWeight, gaugesOf(rows, 3)),
    metric(families.serverUp, gaugesOf(rows, 4)),
  ];
}

function packetMetric(counts: Readonly<Record<string, number>>): Metric {
  return metric(
    families.packets,
    reasons().map(({ name, verdict }) => ({ labels: [verdict, name], value: counts[name] ?? 0 })),
  );
}

function workerMetrics(page: MeasuredDirector['statistics']): Metric[] {
  const blocks = page.blocks();
  const sample = (label: string | undefined, counter: string, unit = 1): Sample[] =>
    blocks.map(({ index, name }) => ({
      labels: label === undefined ? [name] : [name, label],
      value: Number(page.read(index, counter)) / unit,
    }));
  return [
    metric(families.workerFrames, [
      ...sample('received', 'frames_received'),
      ...sample('transmitted', 'frames_transmitted'),
    ]),
    metric(families.workerBytes, [
      ...sample('received', 'bytes_received'),
      ...sample('transmitted', 'bytes_transmitted'),
    ]),
    metric(families.workerBatches, sample(undefined, 'batches')),
    metric(families.workerLost, [
      ...sample('dropped', 'frames_dropped'),
      ...sample('untransmitted', 'frames_untransmitted'),
    ]),
    metric(families.workerAwake, sample(undefined, 'awake_nanoseconds', 1e9)),
    metric(families.workerLongestVisit, sample(undefined, 'longest_visit_nanoseconds', 1e9)),
  ];
}

function portMetrics(ports: ReturnType<MeasuredDirector['ports']>): Metric[] {
  type Count = Exclude<keyof (typeof ports)[number], 'name' | 'device' | 'type' | 'up' | 'mac' | 'addresses'>;
  const samples = (counts: Readonly<Record<string, Count>>): Sample[] =>
    ports.flatMap(port =>
      Object.entries(counts).map(([label, count]) => ({ labels: [port.name, port.device, label], value: port[count] })),
    );
  return [
    metric(
      families.portUp,
      ports.map(({ name, device, up }) => ({ labels: [name, device], value: up ? 1 : 0 })),
    ),
    metric(families.portFrames, samples({ received: 'received', transmitted: 'transmitted' })),
    metric(families.portBytes, samples({ received: 'receivedBytes', transmitted: 'transmittedBytes' })),
    metric(
      families.portFailures,
      samples({ no_room: 'kernelDrops', unreadable: 'unreadable', not_sent: 'sendFailures' }),
    ),
  ];
}
