// SPDX-License-Identifier: Apache-2.0
// The native module's director; src/director/forwarding-core.ts is what the rest of Sluice uses.

/** One row of the table of reasons, in the order of their numbers. */
export interface ReasonRow {
  readonly name: string;
  readonly verdict: 'forward' | 'drop' | 'pass' | 'consume' | 'deliver';
  readonly meaning: string;
}

export interface NativeRouteTable {
  readonly ports: readonly {
    readonly name: string;
    readonly mac: string;
    readonly mtu: number;
    readonly addresses: readonly { readonly address: string; readonly prefix: number }[];
  }[];
  /** `via` is empty for destinations on the link. */
  readonly routes: readonly {
    readonly network: string;
    readonly prefix: number;
    readonly via: string;
    readonly port: number;
  }[];
  readonly neighbours: readonly { readonly address: string; readonly mac: string; readonly port: number }[];
}

export interface NativeDecision {
  /** Its row in the table of reasons. */
  readonly reason: number;
  readonly service?: string;
  readonly server?: string;
  readonly mode?: string;
  readonly out: readonly { readonly port: number; readonly frame: Buffer }[];
  readonly steps?: readonly string[];
}

export interface NativeParties {
  readonly service?: string;
  readonly server?: string;
  readonly mode?: string;
}

/** What became of frames of a batch. */
export interface NativeDecisions {
  /** The first frame that was not taken: what was sent had become too much for one call. */
  readonly next: number;
  /**
   * Four a frame: the reason, the number of its parties from 1 or 0, how many frames it caused, how many frames timers
   * sent before it was taken (they come first in `sent`).
   */
  readonly decisions: Uint32Array;
  readonly parties: readonly NativeParties[];
  /** The bytes of all frames that were sent, one after another. */
  readonly sent: Buffer;
  /** Two a frame that was sent: port and length. */
  readonly sentFrames: Uint32Array;
  /** When timers sent theirs, in order. */
  readonly timerTimes: BigUint64Array;
  /** The steps of each decision if they were asked for. */
  readonly steps: readonly (readonly string[])[];
}

export interface NativeFrameOptions {
  readonly mark?: number;
  readonly partial?: boolean;
  /** As director::Segmentation: 0 none, 1 TCP over IPv4, 2 TCP over IPv6, 3 UDP. */
  readonly segmentation?: number;
  readonly segmentSize?: number;
  readonly explain?: boolean;
}

export interface NativeCounters {
  readonly connections: number;
  readonly packetsIn: number;
  readonly packetsOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export interface NativeServer {
  readonly address: string;
  readonly port: number;
  readonly active: number;
  readonly inactive: number;
  readonly persistent: number;
  readonly overloaded: boolean;
  readonly counters: NativeCounters;
}

export interface NativeService {
  /** "tcp 10.0.0.1:80", "fwmark 7". */
  readonly name: string;
  readonly family: 4 | 6;
  readonly counters: NativeCounters;
  /** As the scheduler walks them. */
  readonly servers: readonly NativeServer[];
}

export interface NativeEndpoint {
  readonly address: string;
  readonly port: number;
}

export interface NativeConnection {
  readonly protocol: string;
  readonly expires: number;
  readonly state: string;
  readonly client: NativeEndpoint;
  readonly virtual: NativeEndpoint;
  readonly server: NativeEndpoint;
  readonly local: NativeEndpoint;
}

/** Wrong arguments give a TypeError or a RangeError. */
export interface NativeDirector {
  setRouteTable(routeTable: NativeRouteTable): void;
  /** One of the steps of src/director/plan.ts. "done", or what is wrong with it. */
  apply(step: { readonly op: string; readonly [field: string]: unknown }): string;
  receive(port: number, frame: Uint8Array, time: bigint, options?: NativeFrameOptions): NativeDecision;
  announce(): { readonly port: number; readonly frame: Buffer }[];
  /**
   * Takes frames from `first` to before `end`. A frame is eight numbers (which buffer, where in it, length, port, firewall
   * mark, whether its checksum is partial, its segmentation and segment size) and a time that never falls.
   */
  receiveBatch(
    buffers: readonly Uint8Array[],
    frames: Uint32Array,
    times: BigUint64Array,
    first: number,
    end: number,
    explain: boolean,
  ): NativeDecisions;
  /** What timers have sent by then. */
  advance(time: bigint): { readonly port: number; readonly frame: Buffer; readonly time: bigint }[];
  connections(time: bigint): NativeConnection[];
  services(): NativeService[];
  counts(): number[];
}

export interface NativeDirectorOptions {
  readonly flowLimit: number;
  readonly fragmentLimit: number;
  readonly seed: number;
  readonly start: bigint;
  /** Whether ICMP errors are limited to the rate at which the kernel sends them. */
  readonly limitIcmp: boolean;
}

export interface DirectorAddon {
  readonly Director: new (options: NativeDirectorOptions) => NativeDirector;
  readonly reasons: readonly ReasonRow[];
}
