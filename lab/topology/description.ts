// SPDX-License-Identifier: Apache-2.0
// A topology as data. lab/topology/topology.ts makes it of network namespaces.

/** Names are letters, digits and hyphens. */
export interface TopologyDescription {
  readonly hosts: Readonly<Record<string, HostDescription>>;
  /** Ethernet switches (Linux bridges) without addresses, each in a namespace of its own. */
  readonly switches?: readonly string[];
  readonly links: readonly LinkDescription[];
}

export interface HostDescription {
  /** Addresses with prefix lengths by interface: `{ eth0: ['10.1.0.2/24'] }`. `lo` may have some besides 127.0.0.1. */
  readonly interfaces: Readonly<Record<string, readonly string[]>>;
  readonly routes?: readonly RouteDescription[];
  /** Values by path below /proc/sys: `{ 'net/ipv4/conf/all/arp_ignore': 1 }`. */
  readonly sysctls?: Readonly<Record<string, number | string>>;
  /** The host is a router for IPv4 and IPv6. */
  readonly forwards?: boolean;
  readonly services?: readonly ServiceDescription[];
}

export interface RouteDescription {
  /** A prefix, `default`, or `default6`. */
  readonly to: string;
  readonly via: string;
}

/** A program that runs inside a host for as long as the topology stands. */
export interface ServiceDescription {
  readonly name: string;
  readonly command: readonly [program: string, ...words: string[]];
  readonly ready: Readiness;
}

/** A program is ready when it listens on this port of its host (TCP or UDP), or when it has printed this text. */
export type Readiness = { readonly listens: `${'tcp' | 'udp'}:${number}` } | { readonly prints: string };

export interface LinkDescription {
  /** Each end is `host:interface`, or the name of a switch. */
  readonly between: readonly [string, string];
  /** The MTU of both interfaces; 1500 unless given. */
  readonly mtu?: number;
  readonly faults?: LinkFaults;
  /** Frames carry this 802.1Q tag at the second end of `between`, and none at the first. */
  readonly vlan?: number;
}

/** The faults of each direction. */
export interface LinkFaults {
  /** One-way delay. */
  readonly delayMilliseconds?: number;
  readonly lossPercent?: number;
  readonly reorderPercent?: number;
  readonly duplicatePercent?: number;
  readonly rateMegabits?: number;
  /** The seed of the random decisions; 1 unless given. */
  readonly seed?: number;
}
