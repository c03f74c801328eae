// SPDX-License-Identifier: Apache-2.0
// The native module's live data path; src/director/live-director.ts is what the rest of Sluice uses.
import type { NativeConnection, NativeDecision } from './director.ts';

export interface NativeLiveDirectorOptions {
  /** Network devices, by the numbers of their ports. */
  readonly interfaces: readonly string[];
  /** The VLAN of what leaves by each; 0 for none. */
  readonly vlans: readonly number[];
  /** By the same numbers: whether it is to be AF_XDP where that is to be had. */
  readonly xdp: readonly boolean[];
  /** One worker each: the CPU that it is pinned to, or -1. */
  readonly cpus: readonly number[];
  /** Flows and datagrams whose fragments are followed, of all workers together. */
  readonly flowLimit: number;
  readonly fragmentLimit: number;
  /** Becomes a statistics page that the workers count into. */
  readonly statistics: BigUint64Array;
  /** Where they publish their services (service-rows.ts): an area for each. */
  readonly serviceRows: BigUint64Array;
  /** /dev/net/tun as the supervisor has opened it; unless given the director opens it. */
  readonly tunDevice?: number;
  /** Where flows are kept for the next process. */
  readonly crashState?: NativeCrashState;
}

/** What outlives this process, and what the one before has left. */
export interface NativeCrashState {
  /**
   * What was given to keepConfiguration() last, and what was given to extendConfiguration() since; undefined where there
   * was no process before.
   */
  configuration(): readonly string[] | undefined;
  /** False where the machine has no memory for it. */
  keepConfiguration(text: string): boolean;
  /** Adds a text to those that are kept, or to none of them. False as above, or where nothing is kept. */
  extendConfiguration(text: string): boolean;
  /** What the workers of the process before were given last. */
  lastBatches(): RecordedFrame[];
  /**
   * From now on a next process finds what this one has given. A director takes over by itself, when it forwards. False
   * where the machine has no memory for it.
   */
  takeOver(): boolean;
  /** Nothing is kept any more. */
  withdraw(): void;
}

export interface RecordedFrame {
  readonly worker: number;
  readonly port: number;
  /** Nanoseconds since it came. */
  readonly age: bigint;
  /** Of the whole frame, of which `bytes` are the beginning. */
  readonly length: number;
  readonly bytes: Uint8Array;
}

/** Flows of the process before. */
export interface RestoredFlows {
  readonly flows: number;
  /** Their time had come meanwhile. */
  readonly over: number;
  /** No service, real server or place is there for them any more. */
  readonly lost: number;
}

/** Why something could not be done. */
export interface NativeFailure {
  /** What was tried, with which value, and what to do. */
  readonly problem: string;
}

/** Why a plan is refused. */
export interface NativeRefusal extends NativeFailure {
  /** What to do, where the problem does not say it; else empty. */
  readonly remedy: string;
  /** The number of the step that is refused; undefined where it is none. */
  readonly step?: number;
}

/** Connections are wanted that fit all that is given. */
export interface NativeConnectionFilter {
  /** As a plan names it. */
  readonly service?: object;
  readonly client?: string;
  readonly server?: string;
  readonly serverPort?: number;
  /** Its number. */
  readonly protocol?: number;
  /** As ipvsadm lists it: ESTABLISHED. */
  readonly state?: string;
}

export interface NativeConnectionPart {
  readonly count: number;
  /** Absent where only the count was asked for. */
  readonly rows?: readonly NativeConnection[];
  readonly next?: number;
}

/** What flows have taken of one worker's tables and pools. */
export interface NativeOccupancy {
  readonly flows4: number;
  readonly flows6: number;
  readonly pools: readonly {
    readonly name: string;
    /** An address can be listed more than once. */
    readonly addresses: readonly {
      readonly address: string;
      readonly flows: number;
      /** Ports that flows have, and the others; none of an address that has left its pool. */
      readonly usedPorts: number;
      readonly freePorts: number;
    }[];
    /** New flows that found no free port. */
    readonly misses: number;
    /** The part of the ports that are taken towards one remote end, the one that has fewest left. */
    readonly fullest: number;
  }[];
}

export interface NativePortState {
  readonly name: string;
  /** What it is, which is a packet ring also where AF_XDP was asked for and is not to be had. */
  readonly type: 'packet' | 'xdp-copy' | 'xdp-zero-copy';
  readonly up: boolean;
  readonly mac: string;
  readonly mtu: number;
  readonly addresses: readonly string[];
  readonly received: number;
  readonly receivedBytes: number;
  readonly transmitted: number;
  readonly transmittedBytes: number;
  /** Frames that found no room in a ring: the worker was too slow. */
  readonly kernelDrops: number;
  readonly unreadable: number;
  readonly sendFailures: number;
}

export interface NativeLiveDirectorState {
  readonly ports: readonly NativePortState[];
  /** How the host's stack is kept away: "tcx", "clsact" or "nftables". */
  readonly stealing: string;
  /** What had to be done in a lesser way, and why. */
  readonly notices: readonly string[];
}

/** How packets reach an address. */
export interface NativeNextHop {
  /** local: the address is one of this host. */
  readonly state: 'reachable' | 'no-neighbour' | 'no-route' | 'local';
  /** The port that leads there. */
  readonly port?: number;
  /** The address of the next hop: of a router, or the one that was asked for. */
  readonly address?: string;
  /** Absent while nobody has answered for the next hop. */
  readonly mac?: string;
}

export interface NativeRehearsalFrame {
  readonly port: number;
  /** Its firewall mark; 0 for none. */
  readonly mark: number;
  readonly bytes: Uint8Array;
}

/** Whose a frame is: the director's alone, the host's alone, both see it, or nobody knows before it comes. */
export type Owner = 'director' | 'host' | 'both' | 'unknown';

export interface NativeExplanation {
  readonly worker: number;
  /** Nanoseconds for which the worker waited for its copy. */
  readonly stoodStill: number;
  /** A frame each. */
  readonly decisions: readonly (NativeDecision & { readonly owner: Owner })[];
}

/** What is wanted: all of what is given must hold. */
export interface NativeTapFilter {
  /** Of a frame that came or of one that left for it. */
  readonly host?: string;
  readonly port?: number;
  readonly protocol?: number;
  readonly verdict?: string;
  /** By their numbers. */
  readonly reason?: number;
  readonly cameOn?: number;
  /** As a plan names it. */
  readonly service?: object;
}

export interface NativeTappedFrame {
  readonly worker: number;
  /** Of a worker, the same for all frames of a packet; the one that came is first. */
  readonly packet: number;
  /** Monotonic nanoseconds. */
  readonly time: bigint;
  readonly port: number;
  readonly hasLeft: boolean;
  /** Frames that left for the one that came. */
  readonly left: number;
  readonly reason: number;
  readonly service?: string;
  readonly server?: string;
  readonly mode?: string;
  readonly bytes: Buffer;
}

/** Workers, each with ports and a director. */
export interface NativeLiveDirector {
  /** Opens ports and attaches to the host. Nothing is forwarded before start(). */
  open(): NativeFailure | undefined;
  /**
   * Makes ready that steps of a plan (src/director/plan.ts) are carried out: 'done', and commit() cannot fail; or why they
   * are refused, and nothing has changed. One plan at a time.
   */
  prepare(steps: readonly { readonly op: string; readonly [field: string]: unknown }[]): 'done' | NativeRefusal;
  /** Every worker carries the prepared plan out, between two batches. */
  commit(): void;
  /** The prepared plan is forgotten. */
  abort(): void;
  /** Carries on the flows of the process before. Between the first commit() and start(). */
  restore(): RestoredFlows;
  start(): void;
  /** From now on the host's stack does not see what belongs to the services as they are. */
  steal(): NativeFailure | undefined;
  /** From now on a process after this one finds what this one has, and not what the one before has left. */
  takeOver(): NativeFailure | undefined;
  /** Before takeOver(): ends the workers and closes the ports. What the process before has left stays for another try. */
  discard(): void;
  /** Says on the network whose the virtual addresses are. */
  announce(): void;
  /**
   * A part of one worker's table, at most so many (up to 4096): its places from `cursor` on, which is 0 at first and then
   * the `next` of the part before. There is no `next` at the end. A flow that lives from the first part to the last is in
   * exactly one part; one that begins or ends meanwhile may be missed.
   */
  connections(
    worker: number,
    cursor: number,
    most: number,
    filter?: NativeConnectionFilter,
    countOnly?: boolean,
  ): NativeConnectionPart;
  /** Ends those of a part of one worker's table, and counts them; cursor and next as above. */
  endConnections(
    worker: number,
    cursor: number,
    filter: NativeConnectionFilter,
  ): { readonly count: number; readonly next?: number };
  occupancy(worker: number): NativeOccupancy;
  state(): NativeLiveDirectorState;
  /** What would become of frames that came on ports, one after another: asked of a copy, nothing has happened. */
  explain(frames: readonly NativeRehearsalFrame[]): NativeExplanation | NativeFailure;
  /** How packets reach an address now. */
  nextHop(address: string): NativeNextHop;
  /** Lets frames be taken that the filter wants; false while others take some. */
  openTaps(filter: NativeTapFilter): boolean;
  /** At most so many frames of each worker; and how many packets found no room since the taps were opened. */
  takeTapped(most: number): { readonly frames: readonly NativeTappedFrame[]; readonly missed: number };
  closeTaps(): void;
  /** Ends the workers, lets the host have its packets back and closes the ports. */
  close(): void;
}

export interface LiveDirectorAddon {
  readonly LiveDirector: new (options: NativeLiveDirectorOptions) => NativeLiveDirector;
  readonly CrashState: new (giving: number, taking: number) => NativeCrashState;
  /** Descriptors for the children of this process: the giving end, the taking end. */
  crashStateSockets(): [number, number];
  /** Removes what killed processes have left on the host's interfaces. */
  cleanHost(): NativeFailure | undefined;
  /**
   * Has the kernel look through the programs of the first live director to come, which takes it some tenths of a second:
   * those that so many workers need, with that way of stealing.
   */
  prepareStealing(options: { readonly workers: number; readonly stealing: string | undefined }): void;
  /** Builds that say the same read each other's flows in the crash state (native/engine/layout_tag.h). */
  readonly flowLayout: string;
  /** The names of all states that connections can have. */
  readonly connectionStates: readonly string[];
  /** Rules of firewall marks that live traffic is held against. */
  readonly mostMarkRules: number;
}
