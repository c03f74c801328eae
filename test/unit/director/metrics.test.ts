// SPDX-License-Identifier: Apache-2.0
// The metrics of the director, of a director that a test makes up. Those of a real one: test/process/metrics.test.ts.
import { describe, expect, it } from 'vitest';
import { documentFormat } from '../../../src/daemon/document.ts';
import { mostServers, mostServices } from '../../../src/director/metric-families.ts';
import { DirectorMetrics, type MeasuredDirector } from '../../../src/director/metrics.ts';
import { sumOccupancy } from '../../../src/director/occupancy.ts';
import { serviceViews } from '../../../src/director/views.ts';
import type { NativeOccupancy } from '../../../src/native/live-director.ts';
import { noCounts } from '../../../src/native/service-rows.ts';
import { samplesOf } from '../core/metrics/samples.ts';

const noUse: NativeOccupancy = { flows4: 0, flows6: 0, pools: [] };

function directorOf(document: object, { occupancy = noUse, counted = new Map() } = {}): MeasuredDirector {
  const { director: model } = documentFormat.from({ director: document });
  return {
    model,
    services: () => serviceViews(model.services, counted),
    counts: () => ({ 'no-real-server': 7 }),
    ports: () => [],
    occupancy: () => sumOccupancy([occupancy]),
    statistics: { blocks: () => [{ index: 3, name: 'worker 0', held: true, beat: 0n }], read: () => 2_000_000_000n },
  };
}

describe('services and real servers', () => {
  const counts = { ...noCounts, connections: 3, packets_in: 5, packets_out: 4, bytes_in: 500, bytes_out: 4000 };
  const counted = new Map([
    ['4 tcp 10.0.1.1:80', { ...counts, connections: 6 }],
    ['4 tcp 10.0.1.1:80 > 10.0.2.1:80', { ...counts, active: 2, inactive: 1, persistent: 1 }],
  ]);
  const services = [{ tcp: '10.0.1.1:80', servers: ['10.0.2.1:80', { server: '10.0.2.2:80', weight: 0 }] }];

  it('have counters by direction, and gauges as the director uses them', () => {
    const samples = samplesOf(new DirectorMetrics().collect(directorOf({ services }, { counted })));
    expect(samples).toMatchObject({
      'sluice_director_services{}': 1,
      'sluice_director_servers{}': 2,
      'sluice_director_service_connections_total{tcp 10.0.1.1:80}': 6,
      'sluice_director_service_packets_total{tcp 10.0.1.1:80,in}': 5,
      'sluice_director_service_packets_total{tcp 10.0.1.1:80,out}': 4,
      'sluice_director_service_bytes_total{tcp 10.0.1.1:80,in}': 500,
      'sluice_director_service_bytes_total{tcp 10.0.1.1:80,out}': 4000,
      'sluice_director_service_active_connections{tcp 10.0.1.1:80}': 2,
      'sluice_director_service_inactive_connections{tcp 10.0.1.1:80}': 1,
      'sluice_director_service_servers{tcp 10.0.1.1:80}': 2,
      'sluice_director_service_up_servers{tcp 10.0.1.1:80}': 1,
      'sluice_director_server_connections_total{tcp 10.0.1.1:80,10.0.2.1:80}': 3,
      'sluice_director_server_persistent_clients{tcp 10.0.1.1:80,10.0.2.1:80}': 1,
      'sluice_director_server_weight{tcp 10.0.1.1:80,10.0.2.1:80}': 1,
      'sluice_director_server_up{tcp 10.0.1.1:80,10.0.2.1:80}': 1,
      'sluice_director_server_weight{tcp 10.0.1.1:80,10.0.2.2:80}': 0,
      'sluice_director_server_up{tcp 10.0.1.1:80,10.0.2.2:80}': 0,
    });
  });

  it('share one series beyond the bound, also with 10,000 services of 10 servers', () => {
    const many = Array.from({ length: 10_000 }, (_, index) => ({
      mark: index + 1,
      servers: Array.from({ length: 10 }, (__, host) => `10.${index >> 8}.${index & 255}.${host + 1}`),
    }));
    const metrics = new DirectorMetrics().collect(directorOf({ services: many }));
    const samples = samplesOf(metrics);
    expect(samples).toMatchObject({
      'sluice_director_services{}': 10_000,
      'sluice_director_servers{}': 100_000,
      'sluice_director_service_servers{other}': (10_000 - mostServices) * 10,
      'sluice_director_server_up{other,other}': 100_000 - mostServers,
    });
    for (const { family, samples: own } of metrics) {
      const perThing = family.labels.includes('direction') ? 2 : 1;
      const most = family.labels.includes('server') ? mostServers : mostServices;
      expect({ name: family.name, series: own.length }).toSatisfy(({ series }) => series <= (most + 1) * perThing);
    }
  });
});

it('all reasons have a series, also those that have not come up', () => {
  const samples = samplesOf(new DirectorMetrics().collect(directorOf({})));
  expect(samples).toMatchObject({
    'sluice_director_packets_total{drop,no-real-server}': 7,
    'sluice_director_packets_total{forward,scheduled}': 0,
    'sluice_director_worker_awake_seconds_total{worker 0}': 2,
  });
});

describe('pools', () => {
  const local = { address: '10.0.3.1', flows: 4, usedPorts: 3, freePorts: 61 };
  const pool = { name: 'public', addresses: [local], misses: 2, fullest: 0.25 };
  const pools = { public: { addresses: ['10.0.3.1/32'] } };

  it('are added up over workers, and the fullest of them counts', () => {
    const other = { ...local, flows: 1, usedPorts: 1, freePorts: 63 };
    expect(
      sumOccupancy([
        { flows4: 4, flows6: 1, pools: [pool] },
        { flows4: 2, flows6: 0, pools: [{ ...pool, addresses: [other, other], misses: 1, fullest: 0.5 }] },
      ]),
    ).toEqual({
      flows: { ipv4: 6, ipv6: 1 },
      pools: [
        {
          name: 'public',
          addresses: [{ address: '10.0.3.1', flows: 6, usedPorts: 5, freePorts: 187 }],
          misses: 3,
          fullest: 0.5,
        },
      ],
    });
  });

  it('have series by local address; one that was removed has them until its flows have ended', () => {
    const occupancy = { flows4: 4, flows6: 0, pools: [pool, { ...pool, name: 'ended', addresses: [] }] };
    const samples = samplesOf(new DirectorMetrics().collect(directorOf({ pools }, { occupancy })));
    expect(samples).toMatchObject({
      'sluice_director_flows{ipv4}': 4,
      'sluice_director_flows_limit{}': 4_194_304,
      'sluice_director_pool_used_ports{public,10.0.3.1}': 3,
      'sluice_director_pool_free_ports{public,10.0.3.1}': 61,
      'sluice_director_pool_flows{public,10.0.3.1}': 4,
      'sluice_director_pool_missed_flows_total{public}': 2,
      'sluice_director_pool_fullest_ratio{public}': 0.25,
    });
    expect(samples).not.toHaveProperty(['sluice_director_pool_missed_flows_total{ended}']);
    const left = samplesOf(new DirectorMetrics().collect(directorOf({}, { occupancy })));
    expect(left).toHaveProperty(['sluice_director_pool_flows{public,10.0.3.1}'], 4);
  });
});
