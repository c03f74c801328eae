// SPDX-License-Identifier: Apache-2.0
// Whether packets of clients fit into the tunnels to real servers.
import { isIPv6 } from 'node:net';
import type { RealServer, Tunnel } from '../director/model.ts';
import type { Finding, Look } from './finding.ts';
import type { Host } from './host.ts';

/** What clients send at most, by the MTU of Ethernet. */
const clientsPacket = 1500;

export const lookAtTunnels: Look = (host, { model }) => {
  const servers = model?.services.flatMap(({ servers }) => servers.filter(({ tunnel }) => tunnel !== null)) ?? [];
  if (servers.length === 0) return [];
  const narrow = new Map<string, Finding>();
  for (const server of servers) {
    const finding = lookAtTunnel(host, server);
    if (finding !== undefined && !narrow.has(finding.about)) narrow.set(finding.about, finding);
  }
  if (narrow.size > 0) return [...narrow.values()];
  return [
    { about: 'tunnels', verdict: 'good', found: `packets of ${clientsPacket} bytes fit into those to all servers` },
  ];
};

function lookAtTunnel(host: Host, { address, tunnel }: RealServer): Finding | undefined {
  if (tunnel === null) return undefined;
  const route = host.run('ip', ['route', 'get', address]) ?? '';
  const device = /\bdev (\S+)/.exec(route)?.[1];
  const about = `tunnel to ${address}`;
  if (device === undefined) {
    return {
      about,
      verdict: 'problem',
      found: 'the host has no route to the server',
      remedy: 'ip route shows the routes',
    };
  }
  const mtu = Number(/\bmtu (\d+)/.exec(route)?.[1] ?? host.read(`/sys/class/net/${device}/mtu`) ?? clientsPacket);
  const room = mtu - overheadOf(tunnel, isIPv6(address));
  if (room >= clientsPacket) return undefined;
  const segment = room - 40;
  return {
    about,
    verdict: 'advice',
    found: `packets of more than ${room} bytes do not fit (MTU ${mtu} of ${device}): clients get "fragmentation needed" for larger ones`,
    remedy: `an MTU of ${clientsPacket + mtu - room} on the way to the server, or on the server: ip route change default … advmss ${segment}`,
  };
}

/** The headers that are put in front of a packet. */
function overheadOf({ type, checksum }: Tunnel, isOverIpv6: boolean): number {
  const outer = isOverIpv6 ? 40 : 20;
  if (type === 'ipip') return outer;
  if (type === 'gre') return outer + (checksum === 'full' ? 8 : 4);
  return outer + 8 + (checksum === 'remote' ? 12 : 4);
}
