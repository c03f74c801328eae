// SPDX-License-Identifier: Apache-2.0
// The interface of a balancer, which stands between clients and real servers in a scenario. A scenario can be played with
// each balancer that has the modes and abilities that it needs.
import type { Host } from '../topology/host.ts';

export type Mode = 'nat' | 'fullnat' | 'dr' | 'tunnel';

export type Encapsulation = 'ipip' | 'gre' | 'gue';

/** What a scenario may need beyond forwarding in a mode. */
export type Ability =
  /** Its services can be changed while it runs. */
  | 'change'
  /** Rewrites the sources of connections from inside. */
  | 'snat'
  /** Forwards fragments to the server of their datagram in every mode. */
  | 'fragments'
  /** Passes ICMPv6 errors about what servers sent, or were sent, on to clients in mode nat. */
  | 'icmpv6-errors'
  /** Its uplink may carry VLAN tags where the kernel has no VLAN devices. */
  | 'vlan'
  /** Servers of one service may differ in their modes. */
  | 'mixed'
  /** Answers for virtual addresses that the host does not have: ARP, neighbour discovery, ping. */
  | 'answers'
  /** Tells FULLNAT servers the client's address by the TCP option TOA. */
  | 'toa'
  /** Tells FULLNAT servers the client's address by the PROXY protocol. */
  | 'proxy-protocol'
  /** Answers SYNs with cookies. */
  | 'syn-proxy'
  /** Makes one service of several ports. */
  | 'groups'
  /** Checks its servers. */
  | 'health'
  /** Runs as a process, which can be stopped and killed. */
  | 'process';

export interface RealServer {
  /** With a port when it differs from the service's. */
  readonly address: string;
  /** 1 unless given. 0: no new connections; existing connections stay. */
  readonly weight?: number;
  /** The service's unless given. */
  readonly mode?: Mode;
}

export interface VirtualService {
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly address: string;
  readonly port: number;
  readonly mode: Mode;
  readonly servers: readonly RealServer[];
  /** Mode tunnel: how packets are wrapped; IPIP unless given. */
  readonly encapsulation?: Encapsulation;
  /** FULLNAT: servers are told the client's address by the TCP option TOA. */
  readonly tellsClient?: boolean;
  /** FULLNAT: servers are told the client's address by a header of the PROXY protocol. */
  readonly proxyProtocol?: boolean;
  /** TCP: the balancer answers SYNs with cookies. Servers see only connections whose handshake is complete. */
  readonly synProxy?: boolean;
  /** Instead of `port`, as 80 or "8000-8010". A client gets the same server on all of these ports. */
  readonly groupedPorts?: readonly (number | string)[];
  /** How the servers are checked, as a document of Sluice says it for a service. */
  readonly health?: unknown;
}

/** Connections from `inside` that leave by the uplink get `address` as their source. */
export interface SourceNat {
  readonly inside: string;
  readonly address: string;
}

export interface Forwarding {
  readonly services: readonly VirtualService[];
  readonly sourceNat?: SourceNat;
  /** Number of workers, if the balancer has workers; 1 unless given. */
  readonly workers?: number;
  /** How packets are kept from the stack of the balancer's host. The balancer chooses unless given. */
  readonly stealing?: 'nftables';
  /** Frames to and from the clients carry this 802.1Q tag. */
  readonly uplinkVlan?: number;
  /** Devices whose frames the balancer receives by AF_XDP. */
  readonly xdp?: readonly string[];
  /** The checks that services name, as a document of Sluice says them. */
  readonly checks?: Readonly<Record<string, unknown>>;
}

export interface RunningBalancer {
  /** Resolves when the new services are in force. */
  change(forwarding: Forwarding): Promise<void>;
  /** Only if the balancer runs as a process. */
  readonly process?: BalancerProcess;
}

export interface BalancerProcess {
  /** The CPU time that it has used since its start. */
  cpuSeconds(): number;
  /** The type of each port, by device, as the process reports it. */
  portTypes(): Promise<Record<string, string>>;
  /**
   * Kills the process that forwards, without a chance to clean up. Returns when the balancer has recovered by itself, with
   * the seconds that this took.
   */
  crash(): Promise<number>;
  /** Has it hand over to the program on disk. Returns when the next one works. */
  upgrade(): Promise<void>;
  /** Kills one of the processes by its name. The balancer goes on by itself. */
  killProcess(name: string): Promise<void>;
  /** The servers that its checks have found down, each with what was found. */
  down(): Promise<Record<string, string>>;
  /** Stops it with SIGTERM. */
  stop(): Promise<void>;
  /** Kills all its processes, without a chance to clean up. */
  kill(): Promise<void>;
  /** Removes what it left on the host when it was killed. */
  clean(): Promise<void>;
}

export interface Balancer {
  readonly name: string;
  readonly modes: readonly Mode[];
  readonly abilities: readonly Ability[];
  /** Why it cannot be used on this machine; undefined when it can. */
  unavailable(): string | undefined;
  /** Begins to forward in `host`, whose interfaces are `eth0` to the clients and `eth1` to the servers, or `eth0` for both. */
  start(host: Host, forwarding: Forwarding): Promise<RunningBalancer>;
}

/** The addresses of servers that take new connections. Each is in the list as often as its weight says. */
export function byWeight(servers: readonly RealServer[]): string[] {
  return servers.flatMap(({ address, weight = 1 }) => new Array<string>(weight).fill(address));
}
