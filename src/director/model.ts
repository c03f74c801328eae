// SPDX-License-Identifier: Apache-2.0
// The model: the director's section of a snapshot in its canonical form. A `sluice.yaml` and ipvsadm's commands are two
// grammars, and both are read into a model. The director, the comparison and the listings take a model. Defaults are
// filled in, addresses are canonical text, and lists whose order has no meaning are sorted. So equal configurations are
// equal values.
//
// The order of the real servers of a service matters to the scheduler, so it is part of the model. It is the order of
// the `ipvsadm -a` commands: the oldest server comes first. The kernel puts a new server at the head of its list and
// walks the list from the head. So round robin begins with the last server of this order. The director does the same.

import { type Family, isIpv4Reserved, isMulticast, isUnspecified, parseAddress } from '../core/address.ts';
import { oncePerValue } from '../core/config/once.ts';
import { formatEndpoint } from '../core/endpoint.ts';
import type { AppliedCheck, Health } from '../core/observed.ts';

export type Protocol = 'tcp' | 'udp' | 'sctp';

/** The forwarding mode: how packets reach a real server. */
export type Mode = 'nat' | 'fullnat' | 'dr' | 'tunnel';

export type Encapsulation = 'ipip' | 'gue' | 'gre';

/** The checksum in the outer header: none, a full checksum, or remote checksum offload (GUE). */
export type TunnelChecksum = 'none' | 'full' | 'remote';

export interface Tunnel {
  readonly type: Encapsulation;
  /** GUE: the UDP port at the real server; 0 otherwise. */
  readonly port: number;
  readonly checksum: TunnelChecksum;
}

export interface RealServer {
  readonly address: string;
  /** 0 for services with port 0 and services by mark: the packet keeps its destination port. */
  readonly port: number;
  readonly mode: Mode;
  /** How packets are wrapped in mode `tunnel`; null in the other modes. */
  readonly tunnel: Tunnel | null;
  /** A server of weight 0 takes no new flows and keeps its flows. */
  readonly weight: number;
  /** With this many connections the server is overloaded and takes no new ones; 0: no limit. */
  readonly upperThreshold: number;
  /**
   * Below this many connections an overloaded server takes new ones again; 0: three quarters of the upper threshold.
   */
  readonly lowerThreshold: number;
  /** It takes no new flows until a person ends this. Absent otherwise. */
  readonly maintenance?: true;
  /** What this server has to pass in place of what its service says. */
  readonly health?: ServerHealth;
}

/** What a real server has to pass. */
export interface ServerHealth {
  /** Sorted by name. */
  readonly checks: readonly AppliedCheck[];
  /** All, any, or the sum of weights of checks that pass. */
  readonly need: 'all' | 'any' | number;
}

/**
 * What becomes of a real server that is down.
 * - `inhibit`: the server stays with weight 0. It takes no new flows and keeps its flows (keepalived's
 *   `inhibit_on_failure`).
 * - `remove`: the server leaves its service until it is up again (keepalived's default).
 */
export type FailureAction = 'inhibit' | 'remove';

/** How the health of real servers decides what a service does. */
export interface ServiceHealth extends ServerHealth {
  readonly onFailure: FailureAction;
  /** Of the weights of servers that are up. */
  readonly quorum: number;
  readonly hysteresis: number;
  /** Gets the flows while no other server can; null: none. */
  readonly sorry: RealServer | null;
  /** The sorry server takes over when no server is up, or as soon as the quorum is lost. */
  readonly sorryWhen: 'none_up' | 'quorum_lost';
  /** Without a sorry server and without a server that is up: go on with all servers, or with none. */
  readonly noneUp: 'all' | 'none';
  /** With fewer servers up than this, in percent, all are used: the checks may be what is wrong. 0: never. */
  readonly panic: number;
  /** Seconds in which a server that came back gets its whole weight. */
  readonly slowStart: number;
  /** What a server is before its first result. */
  readonly start: Health;
}

export const defaultServiceHealth = {
  need: 'all',
  onFailure: 'inhibit',
  quorum: 1,
  hysteresis: 0,
  sorry: null,
  sorryWhen: 'none_up',
  noneUp: 'all',
  panic: 0,
  slowStart: 0,
  start: 'up',
} as const satisfies Partial<ServiceHealth>;

export interface Persistence {
  /** Seconds. */
  readonly timeout: number;
  /** A netmask as an address: clients whose addresses are equal under the mask count as one client. */
  readonly netmask: string;
}

/** What a virtual service is identified by. A packet with these values belongs to the service. */
export type ServiceIdentity =
  | { readonly protocol: Protocol; readonly address: string; readonly port: number }
  | { readonly mark: number; readonly family: Family };

/** How a real server learns the client's address, which FULLNAT hides. */
export type ClientAddress = 'none' | 'toa';

/** The version of the PROXY protocol whose header precedes the client's first byte; `none` for no header. */
export type ProxyProtocol = 'none' | 'v2';

/** When the director answers SYNs with cookies: never, always, or while the service has too many half-open flows. */
export type SynProxy = 'off' | 'on' | 'auto';

export interface SourceLimit {
  /** New flows a second from one source. */
  readonly rate: number;
  /** New flows at once from one source. */
  readonly burst: number;
  /** Addresses that are equal in this many leading bits are one source. */
  readonly prefix: number;
}

/** The persistence engines that the kernel has. */
export const persistenceEngines = ['sip'] as const;
export type PersistenceEngine = (typeof persistenceEngines)[number];

export interface Service {
  readonly identity: ServiceIdentity;
  readonly scheduler: string;
  /** Sorted by their bits. */
  readonly flags: readonly string[];
  readonly persistence: Persistence | null;
  /** What ipvsadm's `--pe` gives. The director keeps it, and keeps clients at servers by their addresses alone. Absent: none. */
  readonly persistenceEngine?: PersistenceEngine;
  /** UDP: every packet is scheduled on its own. */
  readonly onePacket: boolean;
  /** The pool of local addresses for FULLNAT; null when no real server needs a pool. */
  readonly pool: string | null;
  readonly clientAddress: ClientAddress;
  readonly proxyProtocol: ProxyProtocol;
  readonly synProxy: SynProxy;
  readonly sourceLimit: SourceLimit | null;
  /** Absent: the real servers are not checked. */
  readonly health?: ServiceHealth;
  /** The oldest server comes first. */
  readonly servers: readonly RealServer[];
}

export interface Port {
  readonly name: string;
  /** The network device. */
  readonly device: string;
  readonly type: 'packet' | 'xdp';
  /** The 802.1Q tag of frames that leave by this port. */
  readonly vlan?: number;
}

/** Local addresses and ports for FULLNAT and egress. */
export interface Pool {
  readonly name: string;
  /** Networks in prefix form, sorted. */
  readonly addresses: readonly string[];
  readonly firstPort: number;
  readonly lastPort: number;
}

/** Source NAT for flows that begin at servers. */
export interface Egress {
  readonly name: string;
  /** Networks in prefix form, sorted. */
  readonly sources: readonly string[];
  readonly pool: string;
}

/** A rule that gives packets a firewall mark. A field that is null fits every packet. */
export interface FirewallMark {
  readonly mark: number;
  /** The port on which the packet came. */
  readonly port: string | null;
  /** Canonical networks: an address, a slash and a prefix. */
  readonly source: string | null;
  readonly destination: string | null;
  readonly protocol: Protocol | null;
  /** The first and the last destination port. */
  readonly ports: readonly [number, number] | null;
}

/** Seconds, by the name of the state in IPVS. */
export interface Timeouts {
  readonly tcp: Readonly<Record<TcpState, number>>;
  readonly udp: { readonly normal: number };
  readonly sctp: Readonly<Record<SctpState, number>>;
  readonly icmp: { readonly normal: number };
}

export type TcpState = keyof typeof defaultTimeouts.tcp;
export type SctpState = keyof typeof defaultTimeouts.sctp;

/** The timeouts of IPVS. The recordings of the kernel in lab/ipvs-oracle confirm them. */
export const defaultTimeouts = {
  tcp: {
    none: 2,
    established: 900,
    syn_sent: 120,
    syn_recv: 60,
    fin_wait: 120,
    time_wait: 120,
    close: 10,
    close_wait: 60,
    last_ack: 30,
    listen: 120,
    synack: 120,
  },
  udp: { normal: 300 },
  sctp: {
    none: 2,
    init1: 4,
    init: 61,
    cookie_sent: 61,
    cookie_replied: 61,
    cookie_wait: 61,
    cookie: 61,
    cookie_echoed: 61,
    established: 900,
    shutdown_sent: 61,
    shutdown_received: 61,
    shutdown_ack_sent: 61,
    rejected: 4,
    closed: 61,
  },
  icmp: { normal: 60 },
} as const;

/** The switches of IPVS under the names of their sysctls, and switches of Sluice. */
export interface Switches {
  readonly conn_reuse_mode: number;
  readonly expire_nodest_conn: boolean;
  readonly expire_quiescent_template: boolean;
  readonly sloppy_tcp: boolean;
  readonly sloppy_sctp: boolean;
  readonly drop_entry: number;
  readonly drop_packet: number;
  readonly secure_tcp: number;
  readonly am_droprate: number;
  readonly amemthresh: number;
  readonly pmtu_disc: boolean;
  readonly nat_icmp_send: boolean;
  /** Answer what nobody here wants as a host's stack would. */
  readonly host_answers: boolean;
  readonly schedule_icmp: boolean;
  readonly udp_leave_removed: boolean;
}

export const defaultSwitches: Switches = {
  conn_reuse_mode: 1,
  expire_nodest_conn: false,
  expire_quiescent_template: false,
  sloppy_tcp: false,
  sloppy_sctp: false,
  drop_entry: 0,
  drop_packet: 0,
  secure_tcp: 0,
  am_droprate: 10,
  amemthresh: 1024,
  pmtu_disc: true,
  nat_icmp_send: false,
  host_answers: true,
  schedule_icmp: false,
  udp_leave_removed: false,
};

export interface Limits {
  /** The most flows in the table. Further flows are refused. */
  readonly flows: number;
  /** With more half-open flows than this, a service with `syn_proxy: auto` answers SYNs with cookies. */
  readonly half_open: number;
  /** The most datagrams whose fragments are followed at the same time. */
  readonly fragments: number;
}

export const defaultLimits: Limits = { flows: 4_194_304, half_open: 4096, fragments: 4096 };

/** The ways to keep packets from the host's stack, the preferred way first: the same order as in `host::StealWay`. */
export const stealWays = ['tcx', 'clsact', 'nftables'] as const;
export type StealWay = (typeof stealWays)[number];

/** The number of threads that forward. `auto`: as many as there are CPUs that this process may use. */
export type Workers = number | 'auto';

/** No machine that Sluice was made for has more CPUs. */
export const mostWorkers = 1024;

export const defaultWorkers: Workers = 1;

export interface DirectorModel {
  readonly workers: Workers;
  /** Undefined: the first way that the kernel has. */
  readonly stealing: StealWay | undefined;
  /** Sorted by name. */
  readonly ports: readonly Port[];
  /** Sorted by key. */
  readonly services: readonly Service[];
  /** Sorted by name. */
  readonly pools: readonly Pool[];
  /** Sorted by name. */
  readonly egress: readonly Egress[];
  /** The first rule that fits a packet counts. */
  readonly marks: readonly FirewallMark[];
  readonly timeouts: Timeouts;
  readonly switches: Switches;
  readonly limits: Limits;
}

/** The weight of a real server for which a document or an ipvsadm command gives none. */
export const defaultWeight = 1;

/** Seconds. This is the kernel's IPVS_SVC_PERSISTENT_TIMEOUT. `ipvsadm -p` uses it too; its manual is wrong (300). */
export const defaultPersistence = 360;

/** 31 days in seconds: the longest timeout that ipvsadm accepts. */
export const longestTimeout = 31 * 24 * 3600;

/** INT_MAX: the highest weight and the highest threshold that ipvsadm accepts. */
export const highestWeight = 2_147_483_647;

export const ipipTunnel: Tunnel = { type: 'ipip', port: 0, checksum: 'none' };

/** The name of a service in verdicts, changes and errors: `tcp 10.0.1.100:80`, `mark 5`, `mark 5 ipv6`. */
export function serviceKey(identity: ServiceIdentity): string {
  if ('mark' in identity) return identity.family === 6 ? `mark ${identity.mark} ipv6` : `mark ${identity.mark}`;
  return `${identity.protocol} ${formatEndpoint(identity.address, identity.port)}`;
}

export function serverKey(server: { readonly address: string; readonly port: number }): string {
  return formatEndpoint(server.address, server.port);
}

export function familyOf(address: string): Family {
  return address.includes(':') ? 6 : 4;
}

export function serviceFamily(identity: ServiceIdentity): Family {
  return 'mark' in identity ? identity.family : familyOf(identity.address);
}

/** Whether packets can be for the service: those to a multicast address, to all hosts or to nobody stay with the host. */
export function takesPackets(identity: ServiceIdentity): boolean {
  if ('mark' in identity) return true;
  const address = parseAddress(identity.address);
  return address === undefined || !(isMulticast(address) || isUnspecified(address) || isIpv4Reserved(address));
}

/** A notice of each service that IPVS takes and that no packet reaches. */
export const servicesWithoutPackets = oncePerValue(({ services }: DirectorModel): readonly string[] =>
  services
    .filter(({ identity }) => !takesPackets(identity))
    .map(({ identity }) => `no packet is for the service ${serviceKey(identity)}: its address is not that of one host`),
);

/** The netmask under which every client is a client of its own. */
export function hostMask(family: Family): string {
  return family === 4 ? '255.255.255.255' : 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff';
}

/** The number of leading ones of a netmask; undefined when there are ones after the first zero. */
export function prefixOfMask(mask: string): number | undefined {
  const bits = (parseAddress(mask)?.words ?? []).map(word => word.toString(2).padStart(32, '0')).join('');
  const prefix = bits.indexOf('0') < 0 ? bits.length : bits.indexOf('0');
  return bits.includes('1', prefix) ? undefined : prefix;
}

const indexes = new WeakMap<readonly Service[], ReadonlyMap<string, Service>>();

/** The services by their keys. For a frozen list, the index is built once. */
export function serviceIndex(services: readonly Service[]): ReadonlyMap<string, Service> {
  let index = indexes.get(services);
  if (index === undefined) {
    index = new Map(services.map(service => [serviceKey(service.identity), service]));
    if (Object.isFrozen(services)) indexes.set(services, index);
  }
  return index;
}

export const emptyDirectorModel: DirectorModel = {
  workers: defaultWorkers,
  stealing: undefined,
  ports: [],
  services: [],
  pools: [],
  egress: [],
  marks: [],
  timeouts: defaultTimeouts,
  switches: defaultSwitches,
  limits: defaultLimits,
};
