// SPDX-License-Identifier: Apache-2.0
// Measurements as the director answers them, with chosen numbers.
import type { Connection } from '../../../../src/cli/top/listing.ts';
import { type Measurement, type Rates, ratesBetween } from '../../../../src/cli/top/rates.ts';
import { readRules } from '../../../../src/director/ipvsadm/rules.ts';
import { rowName, serviceViews } from '../../../../src/director/views.ts';
import { noCounts, type RowCounts } from '../../../../src/native/service-rows.ts';

export interface Numbers {
  /** Connections that are open. */
  readonly open?: number;
  /** New ones in a second. */
  readonly opened?: number;
}

/** Of the services that ipvsadm's rules make; numbers by the names of services and of servers. */
export function measurement(rules: string, numbers: Readonly<Record<string, Numbers>> = {}, at = 0): Measurement {
  const { services } = readRules(rules, { file: 'rules' });
  const rows = new Map<string, RowCounts>();
  for (const { identity, servers } of services) {
    const name = rowName(identity);
    for (const row of [name, ...servers.map(({ address, port }) => `${name} > ${address}:${port}`)]) {
      const { open = 0, opened = 0 } = numbers[row.replace(/^[46] |.* > /g, '')] ?? {};
      rows.set(row, { ...noCounts, active: open, connections: opened * at, packets_in: 10 * opened * at });
    }
  }
  return {
    at: at * 1e9,
    workers: [0, 1].map(index => ({
      name: `worker ${index}`,
      awakeNanoseconds: (at * 1e9 * (index + 1)) / 10,
      longestVisitNanoseconds: 0,
      received: 1000 * at,
      receivedBytes: 64_000 * at,
      transmitted: 1000 * at,
      transmittedBytes: 64_000 * at,
    })),
    services: serviceViews(services, rows),
    reasons: [
      { name: 'established', verdict: 'forward', packets: 500 * at },
      { name: 'no-route', verdict: 'drop', packets: 3 },
    ],
  };
}

export function ratesOf(rules: string, numbers?: Readonly<Record<string, Numbers>>): Rates {
  return ratesBetween(measurement(rules, numbers, 1), measurement(rules, numbers, 2));
}

export function connection(client: string, state = 'ESTABLISHED', expires = 60): Connection {
  return {
    ...{ protocol: 'TCP', expires, state, client: { address: client, port: 1024 } },
    virtual: { address: '10.0.1.100', port: 80 },
    server: { address: '10.0.2.11', port: 8080 },
    local: { address: '0.0.0.0', port: 0 },
  };
}
