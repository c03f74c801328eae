// SPDX-License-Identifier: Apache-2.0
// The addresses of the scenarios' topologies: clients in one network, servers in another, a virtual address that belongs
// to neither.

export type Family = 'ipv4' | 'ipv6';

export const serverNames = ['r1', 'r2', 'r3'] as const;

export const virtualAddress: Record<Family, string> = { ipv4: '192.0.2.10', ipv6: '2001:db8::10' };
/** Virtual addresses in the client's own network: only the balancer answers ARP and neighbour discovery for them. */
export const addressOnLink: Record<Family, string> = { ipv4: '10.1.0.100', ipv6: 'fd00:1::100' };
/** The source address of connections that egress rewrites. */
export const publicAddress = '192.0.2.20';

export const clientAddress: Record<Family, string> = { ipv4: '10.1.0.2', ipv6: 'fd00:1::2' };
/** The first hop of the client. */
export const clientGateway: Record<Family, string> = { ipv4: '10.1.0.1', ipv6: 'fd00:1::1' };
/** The balancer's address on the servers' network. */
export const balancerAddress: Record<Family, string> = { ipv4: '10.2.0.1', ipv6: 'fd00:2::1' };
/** The router's address on the servers' network, in topologies with a router. */
export const routerAddress: Record<Family, string> = { ipv4: '10.2.0.254', ipv6: 'fd00:2::fe' };

export const serverNetwork = '10.2.0.0/24';

/** The address of server r`number`. */
export function serverAddress(family: Family, number: number): string {
  return family === 'ipv4' ? `10.2.0.${10 + number}` : `fd00:2::1${number}`;
}

const prefixLength: Record<Family, number> = { ipv4: 24, ipv6: 64 };

/** Both addresses with their prefix lengths, as an interface takes them. */
export function onLink(addresses: Record<Family, string>): string[] {
  return [`${addresses.ipv4}/${prefixLength.ipv4}`, `${addresses.ipv6}/${prefixLength.ipv6}`];
}

/** Both addresses alone, as `lo` takes them. */
export function hostRoutes(addresses: Record<Family, string>): string[] {
  return [`${addresses.ipv4}/32`, `${addresses.ipv6}/128`];
}

/** Default routes of both families. */
export function defaultsVia(addresses: Record<Family, string>): { to: string; via: string }[] {
  return [
    { to: 'default', via: addresses.ipv4 },
    { to: 'default6', via: addresses.ipv6 },
  ];
}
