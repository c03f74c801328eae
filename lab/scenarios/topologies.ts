// SPDX-License-Identifier: Apache-2.0
// The topologies that scenarios are played in.
import { decapAgent } from '../drivers/decap.ts';
import { dnsServer } from '../drivers/dns.ts';
import { iperfServer } from '../drivers/iperf.ts';
import { proxyServers } from '../drivers/proxy-protocol.ts';
import { realServer } from '../drivers/real-server.ts';
import type {
  HostDescription,
  LinkDescription,
  ServiceDescription,
  TopologyDescription,
} from '../topology/description.ts';
import {
  balancerAddress,
  clientAddress,
  clientGateway,
  defaultsVia,
  type Family,
  hostRoutes,
  onLink,
  routerAddress,
  serverAddress,
  serverNames,
  virtualAddress,
} from './addresses.ts';

export type LinkProperties = Omit<LinkDescription, 'between'>;

const client: HostDescription = {
  interfaces: { eth0: onLink(clientAddress) },
  routes: defaultsVia(clientGateway),
};

const serverAddresses = (number: number) => ({
  ipv4: serverAddress('ipv4', number),
  ipv6: serverAddress('ipv6', number),
});

/** What real servers run besides lab/programs/server.ts. */
export type MoreServices = 'dns' | 'iperf' | 'proxy-protocol';

function services(name: string, addresses: readonly string[], more?: MoreServices): ServiceDescription[] {
  const extra = { dns: [dnsServer(name)], iperf: [iperfServer], 'proxy-protocol': proxyServers(name) };
  return [realServer(name, addresses), ...(more === undefined ? [] : extra[more])];
}

function hostEntries<Value>(value: (name: string, number: number) => Value): Record<string, Value> {
  return Object.fromEntries(serverNames.map((name, index) => [name, value(name, index + 1)]));
}

const serverLinks: readonly LinkDescription[] = serverNames.map(name => ({ between: [`${name}:eth0`, 'lan'] }));

export interface TwoArms {
  /** The link between the client and the balancer. */
  readonly uplink?: LinkProperties;
  /** The link between the balancer and the servers. */
  readonly downlink?: LinkProperties;
  readonly services?: MoreServices;
  /** The balancer's host has the virtual addresses, too. */
  readonly virtualAddressOnHost?: boolean;
  /** The balancer's own server answers UDP too, at the balancer's address on the servers' network. */
  readonly balancerEchoes?: boolean;
  /** The balancer's host has IP forwarding off. */
  readonly hostForwardsNothing?: boolean;
  /** This server has the virtual addresses, too, and does not answer ARP for them. */
  readonly directServer?: string;
}

/** Servers of direct routing have the virtual address, but must not answer ARP for it. */
const silentAboutVirtualAddress = {
  'net/ipv4/conf/all/arp_ignore': 1,
  'net/ipv4/conf/all/arp_announce': 2,
};

/**
 * client ── eth0 balancer eth1 ── lan ── r1, r2, r3
 *
 * The balancer is the gateway of both sides.
 */
export function twoArms(options: TwoArms = {}): TopologyDescription {
  const servers = hostEntries((name, number) => ({
    interfaces: {
      eth0: onLink(serverAddresses(number)),
      ...(name === options.directServer && { lo: hostRoutes(virtualAddress) }),
    },
    routes: defaultsVia(balancerAddress),
    ...(name === options.directServer && { sysctls: silentAboutVirtualAddress }),
    services: services(name, Object.values(serverAddresses(number)), options.services),
  }));
  return {
    hosts: {
      client,
      balancer: {
        interfaces: {
          eth0: onLink(clientGateway),
          eth1: onLink(balancerAddress),
          ...(options.virtualAddressOnHost && { lo: hostRoutes(virtualAddress) }),
        },
        forwards: !options.hostForwardsNothing,
        // For sessions with the host itself, such as SSH.
        services: [realServer('balancer', options.balancerEchoes ? Object.values(balancerAddress) : [])],
      },
      ...servers,
    },
    switches: ['lan'],
    links: [
      { between: ['client:eth0', 'balancer:eth0'], ...options.uplink },
      { between: ['balancer:eth1', 'lan'], ...options.downlink },
      ...serverLinks,
    ],
  };
}

/**
 * client ── router ── lan ── eth0 balancer, r1, r2, r3
 *
 * Requests to the virtual address go through the balancer; servers answer through the router. Servers have the virtual
 * address on `lo`, or run an agent that has it and takes packets out of their tunnels.
 */
export function oneArm(options: { tunnels?: true } = {}): TopologyDescription {
  const servers = hostEntries((name, number) => ({
    interfaces: {
      ...(!options.tunnels && { lo: hostRoutes(virtualAddress) }),
      eth0: onLink(serverAddresses(number)),
    },
    routes: defaultsVia(routerAddress),
    sysctls: silentAboutVirtualAddress,
    services: [
      ...(options.tunnels ? [decapAgent(hostRoutes(virtualAddress))] : []),
      ...services(name, Object.values(virtualAddress)),
    ],
  }));
  return {
    hosts: {
      client,
      router: {
        interfaces: { eth0: onLink(clientGateway), eth1: onLink(routerAddress) },
        routes: [
          { to: virtualAddress.ipv4, via: balancerAddress.ipv4 },
          { to: virtualAddress.ipv6, via: balancerAddress.ipv6 },
        ],
        forwards: true,
      },
      balancer: {
        interfaces: { eth0: onLink(balancerAddress) },
        routes: defaultsVia(routerAddress),
        forwards: true,
      },
      ...servers,
    },
    switches: ['lan'],
    links: [
      { between: ['client:eth0', 'router:eth0'] },
      { between: ['router:eth1', 'lan'] },
      { between: ['balancer:eth0', 'lan'] },
      ...serverLinks,
    ],
  };
}

/** The server behind the narrow link. */
export const farServer: Record<Family, string> = { ipv4: '10.5.0.11', ipv6: 'fd00:5::11' };

/** The MTU of the narrow link; all other links have 1500. */
export const narrowMtu = 1400;

/**
 * client ── eth0 balancer eth1 ── near ═(narrow)═ far ── r1
 *
 * The ends of a connection learn about the narrow link only by the ICMP errors of `near` and `far`.
 */
export function narrowWay(): TopologyDescription {
  return {
    hosts: {
      client,
      balancer: {
        interfaces: { eth0: onLink(clientGateway), eth1: onLink(balancerAddress) },
        routes: [
          { to: '10.5.0.0/24', via: '10.2.0.2' },
          { to: 'fd00:5::/64', via: 'fd00:2::2' },
        ],
        forwards: true,
      },
      near: {
        interfaces: { eth0: ['10.2.0.2/24', 'fd00:2::2/64'], eth1: ['10.4.0.1/24', 'fd00:4::1/64'] },
        routes: [
          ...defaultsVia(balancerAddress),
          { to: '10.5.0.0/24', via: '10.4.0.2' },
          { to: 'fd00:5::/64', via: 'fd00:4::2' },
        ],
        forwards: true,
      },
      far: {
        interfaces: { eth0: ['10.4.0.2/24', 'fd00:4::2/64'], eth1: ['10.5.0.1/24', 'fd00:5::1/64'] },
        routes: defaultsVia({ ipv4: '10.4.0.1', ipv6: 'fd00:4::1' }),
        forwards: true,
      },
      r1: {
        interfaces: { eth0: onLink(farServer) },
        routes: defaultsVia({ ipv4: '10.5.0.1', ipv6: 'fd00:5::1' }),
        services: [realServer('r1', Object.values(farServer))],
      },
    },
    links: [
      { between: ['client:eth0', 'balancer:eth0'] },
      { between: ['balancer:eth1', 'near:eth0'] },
      { between: ['near:eth1', 'far:eth0'], mtu: narrowMtu },
      { between: ['far:eth1', 'r1:eth0'] },
    ],
  };
}
