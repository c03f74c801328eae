// SPDX-License-Identifier: Apache-2.0
// What flows have taken of tables and pools, over all workers. A worker has its own flow tables, and its own ports of each
// local address.
import type { NativeOccupancy } from '../native/live-director.ts';

export interface LocalAddressUse {
  readonly address: string;
  readonly flows: number;
  readonly usedPorts: number;
  readonly freePorts: number;
}

export interface PoolUse {
  readonly name: string;
  /** Those that flows still have after they left the pool are among them. */
  readonly addresses: readonly LocalAddressUse[];
  /** New flows that found no free port; it never falls. */
  readonly misses: number;
  /** Of the worker and the remote end with fewest free ports: the part that is taken. */
  readonly fullest: number;
}

export interface Occupancy {
  readonly flows: { readonly ipv4: number; readonly ipv6: number };
  readonly pools: readonly PoolUse[];
}

export function sumOccupancy(workers: readonly NativeOccupancy[]): Occupancy {
  const sum = (count: (worker: NativeOccupancy) => number): number =>
    workers.reduce((total, worker) => total + count(worker), 0);
  const pools = new Map<string, PoolUse>();
  for (const pool of workers.flatMap(worker => worker.pools)) {
    pools.set(pool.name, together(pools.get(pool.name) ?? { ...pool, addresses: [], misses: 0, fullest: 0 }, pool));
  }
  return {
    flows: { ipv4: sum(({ flows4 }) => flows4), ipv6: sum(({ flows6 }) => flows6) },
    pools: [...pools.values()],
  };
}

function together(a: PoolUse, b: PoolUse): PoolUse {
  const addresses = new Map(a.addresses.map(use => [use.address, use]));
  for (const { address, flows, usedPorts, freePorts } of b.addresses) {
    const known = addresses.get(address);
    addresses.set(address, {
      address,
      flows: flows + (known?.flows ?? 0),
      usedPorts: usedPorts + (known?.usedPorts ?? 0),
      freePorts: freePorts + (known?.freePorts ?? 0),
    });
  }
  return {
    name: a.name,
    addresses: [...addresses.values()],
    misses: a.misses + b.misses,
    fullest: Math.max(a.fullest, b.fullest),
  };
}
