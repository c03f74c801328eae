// SPDX-License-Identifier: Apache-2.0
// What stands between clients and real servers in a scenario: the same scenario is played with each balancer that can do
// what it asks for.
import type { Host } from '../topology/host.ts';

export type Mode = 'nat' | 'fullnat' | 'dr' | 'tunnel';

export type Encapsulation = 'ipip' | 'gre' | 'gue';

/** What a scenario may need beyond forwarding in a mode. */
export type Ability =
  /** Takes other services while it runs. */
  | 'change'
  /** Rewrites the sources of connections from inside. */
  | 'snat'
  /** Forwards fragments to the server of their datagram in every mode. */
  | 'fragments'
  /** Its uplink may carry VLAN tags where the kernel has no VLAN devices. */
  | 'vlan'
  /** Servers of one service may differ in their modes. */
  | 'mixed'
  /** Answers for virtual addresses that the host does not have: ARP, neighbour discovery, ping. */
  | 'answers'
  /** Tells FULLNAT servers of TCP who the client is. */
  | 'toa'
  /** Tells them by the PROXY protocol. */
  | 'proxy-protocol'
  /** Answers SYNs with cookies. */
  | 'syn-proxy'
  /** Takes several ports as one service. */
  | 'groups'
  /** Is a process of its own. */
  | 'process';

export interface RealServer {
  /** With a port where it is not the service's. */
  readonly address: string;
  /** 1 unless given; 0: no new connections, those that are stay. */
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
  /** FULLNAT: servers are told who the client is. */
  readonly tellsClient?: boolean;
  /** FULLNAT: servers are told by a header of the PROXY protocol. */
  readonly proxyProtocol?: boolean;
  /** TCP: SYNs are answered with cookies, and servers hear of clients that have proved themselves. */
  readonly synProxy?: boolean;
  /** Instead of `port`: 80, "8000-8010". A client has the same server on all of them. */
  readonly groupedPorts?: readonly (number | string)[];
}

/** Connections from `inside` that leave by the uplink get `address` as their source. */
export interface SourceNat {
  readonly inside: string;
  readonly address: string;
}

export interface Forwarding {
  readonly services: readonly VirtualService[];
  readonly sourceNat?: SourceNat;
  /** Threads that forward, where the balancer has such; 1 unless given. */
  readonly workers?: number;
  /** How packets are kept from the stack of the balancer's host, where it is not as the balancer chooses. */
  readonly stealing?: 'nftables';
  /** Frames to and from the clients carry this 802.1Q tag. */
  readonly uplinkVlan?: number;
  /** Devices of the balancer whose frames it is to take by AF_XDP. */
  readonly xdp?: readonly string[];
}

export interface RunningBalancer {
  /** Resolves when the new services are in force. */
  change(forwarding: Forwarding): Promise<void>;
  /** Of one that is a process. */
  readonly process?: BalancerProcess;
}

export interface BalancerProcess {
  /** So much CPU time it has used since it was started. */
  cpuSeconds(): number;
  /** What it says of the kind of its ports, by device. */
  portTypes(): Promise<Record<string, string>>;
  /**
   * Ends what forwards, without a chance to clean up. Returns when it forwards again, as it has to do by itself: after so
   * many seconds.
   */
  crash(): Promise<number>;
  /** Ends it in good order. */
  stop(): Promise<void>;
  /** Ends all of it, without a chance to clean up. */
  kill(): Promise<void>;
  /** Removes what it has left when it was killed. */
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

/** Those that take new connections, each as often as its weight says. */
export function byWeight(servers: readonly RealServer[]): string[] {
  return servers.flatMap(({ address, weight = 1 }) => new Array<string>(weight).fill(address));
}
