// SPDX-License-Identifier: Apache-2.0
// The layer-4 part of a snapshot in its one canonical form. `sluice.yaml` and ipvsadm's commands are two grammars that
// both end here; the director, `sluice diff` and the listings begin here. Nothing is optional, defaults are filled in,
// addresses are canonical text, lists without an order are sorted: equal configurations are equal values.
//
// The order of a service's real servers matters to its scheduler and is therefore part of the model: it is the order of
// `ipvsadm -a` commands, the oldest first. The kernel puts each server that is added at the head of its list and walks the
// list from the head, so round robin begins with the server that stands last here; the director does the same.
import { type Family, parseAddress } from '../core/address.ts';

export type Protocol = 'tcp' | 'udp' | 'sctp';

/** How packets reach a real server. */
export type Mode = 'nat' | 'fullnat' | 'dr' | 'tunnel';

export type Encapsulation = 'ipip' | 'gue' | 'gre';

/** Of the outer header: none, a full checksum, or remote checksum offload (GUE). */
export type TunnelChecksum = 'none' | 'full' | 'remote';

export interface Tunnel {
  readonly type: Encapsulation;
  /** GUE: the UDP port at the real server; 0 otherwise. */
  readonly port: number;
  readonly checksum: TunnelChecksum;
}

export interface RealServer {
  readonly address: string;
  /** 0: the port that the packet was sent to (port 0 and mark services). */
  readonly port: number;
  readonly mode: Mode;
  /** Of mode `tunnel`; null otherwise. */
  readonly tunnel: Tunnel | null;
  /** 0 takes no new flows and keeps those it has. */
  readonly weight: number;
  /** Connections from which on the server takes no more; 0: no limit. */
  readonly upperThreshold: number;
  /** Connections below which an overloaded server takes new ones again; 0: three quarters of the upper threshold. */
  readonly lowerThreshold: number;
}

export interface Persistence {
  /** Seconds. */
  readonly timeout: number;
  /** As an address: clients that are equal under it are one client. */
  readonly netmask: string;
}

/** What a packet must have to belong to a service. */
export type ServiceIdentity =
  | { readonly protocol: Protocol; readonly address: string; readonly port: number }
  | { readonly mark: number; readonly family: Family };

/** How a server learns the client's address when FULLNAT hides it. */
export type ClientAddress = 'none' | 'toa';

/** Whether a server is told the client's address before its first byte, and in which version of the PROXY protocol. */
export type ProxyProtocol = 'none' | 'v2';

/** Whether the director answers SYNs itself, with cookies: never, always, or while half-open flows exceed their limit. */
export type SynProxy = 'off' | 'on' | 'auto';

export interface SourceLimit {
  /** New flows a second. */
  readonly rate: number;
  /** New flows at once. */
  readonly burst: number;
  /** Bits of the source address that make one source. */
  readonly prefix: number;
}

export interface Service {
  readonly identity: ServiceIdentity;
  readonly scheduler: string;
  /** In the order of their bits. */
  readonly flags: readonly string[];
  readonly persistence: Persistence | null;
  /** UDP: every packet is scheduled on its own. */
  readonly onePacket: boolean;
  /** FULLNAT: the pool of local addresses; null where no server needs one. */
  readonly pool: string | null;
  readonly clientAddress: ClientAddress;
  readonly proxyProtocol: ProxyProtocol;
  readonly synProxy: SynProxy;
  readonly sourceLimit: SourceLimit | null;
  /** The oldest first. */
  readonly servers: readonly RealServer[];
}

export interface Port {
  readonly name: string;
  /** The network device. */
  readonly device: string;
  readonly type: 'packet' | 'xdp';
  /** Frames that leave carry this 802.1Q tag. */
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

/** Packets that have a firewall mark. What is null is not asked for. */
export interface FirewallMark {
  readonly mark: number;
  /** Where packets come in. */
  readonly port: string | null;
  /** Canonical networks: an address, a slash and a prefix. */
  readonly source: string | null;
  readonly destination: string | null;
  readonly protocol: Protocol | null;
  /** The destination port's first and last. */
  readonly ports: readonly [number, number] | null;
}

/** Seconds, by the state's name in IPVS. */
export interface Timeouts {
  readonly tcp: Readonly<Record<TcpState, number>>;
  readonly udp: { readonly normal: number };
  readonly sctp: Readonly<Record<SctpState, number>>;
  readonly icmp: { readonly normal: number };
}

export type TcpState = keyof typeof defaultTimeouts.tcp;
export type SctpState = keyof typeof defaultTimeouts.sctp;

/** As in IPVS, which the recordings of the kernel confirm. */
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

/** Switches of IPVS under their sysctl names, and Sluice's own. */
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
  /** Flows in the table; new ones are refused beyond. */
  readonly flows: number;
  /** Half-open flows of a service beyond which `syn_proxy: auto` answers itself. */
  readonly half_open: number;
  /** Datagrams whose fragments are being followed. */
  readonly fragments: number;
}

export const defaultLimits: Limits = { flows: 4_194_304, half_open: 4096, fragments: 4096 };

export interface DirectorModel {
  /** Sorted by name. */
  readonly ports: readonly Port[];
  /** Sorted by key. */
  readonly services: readonly Service[];
  /** Sorted by name. */
  readonly pools: readonly Pool[];
  /** Sorted by name. */
  readonly egress: readonly Egress[];
  /** The first that fits a packet counts. */
  readonly marks: readonly FirewallMark[];
  readonly timeouts: Timeouts;
  readonly switches: Switches;
  readonly limits: Limits;
}

/** What a server is when nothing is said of it, in both grammars except where they say so. */
export const defaultWeight = 1;

/** Seconds. The kernel's IPVS_SVC_PERSISTENT_TIMEOUT, which `ipvsadm -p` uses too, whatever its manual says. */
export const defaultPersistence = 360;

/** 31 days, the longest timeout that ipvsadm takes. */
export const longestTimeout = 31 * 24 * 3600;

/** INT_MAX, which ipvsadm takes as weight and as threshold. */
export const highestWeight = 2_147_483_647;

export const ipipTunnel: Tunnel = { type: 'ipip', port: 0, checksum: 'none' };

/** `10.0.2.11:8080`, `[2001:db8::1]:80`. */
export function formatEndpoint(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** What a service is called in verdicts, changes and errors: `tcp 10.0.1.100:80`, `mark 5`, `mark 5 ipv6`. */
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

/** The netmask that tells every client from every other. */
export function hostMask(family: Family): string {
  return family === 4 ? '255.255.255.255' : 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff';
}

/** The number of leading ones of a netmask; undefined when other ones follow them. */
export function prefixOfMask(mask: string): number | undefined {
  const bits = (parseAddress(mask)?.words ?? []).map(word => word.toString(2).padStart(32, '0')).join('');
  const prefix = bits.indexOf('0') < 0 ? bits.length : bits.indexOf('0');
  return bits.includes('1', prefix) ? undefined : prefix;
}

/** By UTF-16 code units: the same on every machine. */
export function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

const indexes = new WeakMap<readonly Service[], ReadonlyMap<string, Service>>();

/** The services of a frozen model by key; built once for each model. */
export function serviceIndex(services: readonly Service[]): ReadonlyMap<string, Service> {
  let index = indexes.get(services);
  if (index === undefined) {
    index = new Map(services.map(service => [serviceKey(service.identity), service]));
    if (Object.isFrozen(services)) indexes.set(services, index);
  }
  return index;
}

export const emptyDirectorModel: DirectorModel = {
  ports: [],
  services: [],
  pools: [],
  egress: [],
  marks: [],
  timeouts: defaultTimeouts,
  switches: defaultSwitches,
  limits: defaultLimits,
};
