// SPDX-License-Identifier: Apache-2.0
// The kernel's own routing as a balancer: the virtual address has several next hops, and a hash of addresses and ports
// chooses one. Only the packet's MAC addresses change, as in direct routing.
import { isIPv6 } from 'node:net';
import type { Host } from '../topology/host.ts';
import type { Balancer, Forwarding, VirtualService } from './balancer.ts';

/** fib_multipath_hash_policy: addresses and ports. */
const hashOfPorts = '1';

async function route(host: Host, { address, servers }: VirtualService): Promise<void> {
  const family = isIPv6(address) ? '-6' : '-4';
  const prefix = `${address}/${isIPv6(address) ? 128 : 32}`;
  const hops = servers
    .filter(({ weight = 1 }) => weight > 0)
    .flatMap(server => ['nexthop', 'via', server.address, 'weight', String(server.weight ?? 1)]);
  await host.must(['ip', family, 'route', 'replace', ...(hops.length > 0 ? [prefix, ...hops] : ['blackhole', prefix])]);
}

async function routeAll(host: Host, { services }: Forwarding): Promise<void> {
  for (const service of services) await route(host, service);
}

export const kernelForward: Balancer = {
  name: 'kernel-forward',
  modes: ['dr'],
  // No ability to change: the kernel's routing keeps no connections, so that a change would move them to other hops.
  abilities: [],
  unavailable: () => undefined,
  async start(host, forwarding) {
    for (const family of ['ipv4', 'ipv6']) {
      const path = `/proc/sys/net/${family}/fib_multipath_hash_policy`;
      await host.must(['tee', path], { input: hashOfPorts });
    }
    await routeAll(host, forwarding);
    return { change: changed => routeAll(host, changed) };
  },
};
