// SPDX-License-Identifier: Apache-2.0
// Whether packets of clients fit into the tunnels to real servers.
import type { Finding, Look, TunnelWanted } from './finding.ts';
import type { Host } from './host.ts';
import { linkOf } from './link.ts';

/** What clients send at most, by the MTU of Ethernet. */
const clientsPacket = 1500;

export const lookAtTunnels: Look = (host, { tunnels }) => {
  if (tunnels.length === 0) return [];
  const narrow = new Map<string, Finding>();
  for (const tunnel of tunnels) {
    const finding = lookAtTunnel(host, tunnel);
    if (finding !== undefined && !narrow.has(finding.about)) narrow.set(finding.about, finding);
  }
  if (narrow.size > 0) return [...narrow.values()];
  return [
    { about: 'tunnels', verdict: 'good', found: `packets of ${clientsPacket} bytes fit into those to all servers` },
  ];
};

function lookAtTunnel(host: Host, { server, overhead }: TunnelWanted): Finding | undefined {
  const route = host.run('ip', ['route', 'get', server]) ?? '';
  const device = /\bdev (\S+)/.exec(route)?.[1];
  const about = `tunnel to ${server}`;
  if (device === undefined) {
    return {
      about,
      verdict: 'problem',
      found: 'the host has no route to the server',
      remedy: 'ip route shows the routes',
    };
  }
  const mtu = Number(/\bmtu (\d+)/.exec(route)?.[1] ?? linkOf(host, device)?.mtu ?? clientsPacket);
  const room = mtu - overhead;
  if (room >= clientsPacket) return undefined;
  const segment = room - 40;
  return {
    about,
    verdict: 'advice',
    found: `packets of more than ${room} bytes do not fit (MTU ${mtu} of ${device}): clients get "fragmentation needed" for larger ones`,
    remedy: `an MTU of ${clientsPacket + overhead} on the way to the server, or on the server: ip route change default … advmss ${segment}`,
  };
}
