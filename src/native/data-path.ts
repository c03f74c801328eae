// SPDX-License-Identifier: Apache-2.0
// The native module's live data path; src/lvs/data-path.ts is what the rest of Sluice uses.
import type { NativeConnection, NativeService } from './director.ts';

export interface NativeDataPathOptions {
  /** Network devices, by the numbers of their ports. */
  readonly interfaces: readonly string[];
  /** The VLAN of what leaves by each; 0 for none. */
  readonly vlans: readonly number[];
  /** One worker each: the CPU that it is pinned to, or -1. */
  readonly cpus: readonly number[];
  /** Flows and datagrams whose fragments are followed, of all workers together. */
  readonly flowLimit: number;
  readonly fragmentLimit: number;
  /** Becomes a statistics page that the workers count into. */
  readonly statistics: BigUint64Array;
}

/** Why something could not be done. */
export interface NativeFailure {
  /** What was tried, with which value, and what to do. */
  readonly problem: string;
}

export interface NativePortState {
  readonly name: string;
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

export interface NativeDataPathState {
  readonly ports: readonly NativePortState[];
  /** How the host's stack is kept away: "tcx", "clsact" or "nftables". */
  readonly stealing: string;
  /** What had to be done in a lesser way, and why. */
  readonly notices: readonly string[];
}

/** Workers, each with ports and a director. */
export interface NativeDataPath {
  /** Opens ports and attaches to the host. Nothing is forwarded before start(). */
  open(): NativeFailure | undefined;
  /**
   * Steps of a plan (src/lvs/plan.ts) on every worker, between two batches. "done", or what is wrong with the first that
   * was refused, behind its number and a blank.
   */
  apply(steps: readonly { readonly op: string; readonly [field: string]: unknown }[]): string;
  start(): void;
  /** From now on the host's stack does not see what belongs to the services as they are. */
  steal(): NativeFailure | undefined;
  /** Says on the network whose the virtual addresses are. */
  announce(): void;
  /** Of one worker, as NativeDirector. */
  services(worker: number): NativeService[];
  connections(worker: number): NativeConnection[];
  counts(worker: number): number[];
  state(): NativeDataPathState;
  /** Ends the workers, lets the host have its packets back and closes the ports. */
  close(): void;
}

export interface DataPathAddon {
  readonly DataPath: new (options: NativeDataPathOptions) => NativeDataPath;
  /** Removes what killed processes have left on the host's interfaces. */
  cleanHost(): NativeFailure | undefined;
}
