// SPDX-License-Identifier: Apache-2.0
// What a look at the host gives.
import type { Host } from './host.ts';

/**
 * `good`: nothing to do. `advice`: it works, and would work better. `problem`: packets are lost, or a part cannot work.
 * `unknown`: it could not be looked at.
 */
export type Verdict = 'good' | 'advice' | 'problem' | 'unknown';

export interface Finding {
  /** The matter: `device eth0`, `time`. */
  readonly about: string;
  readonly verdict: Verdict;
  /** What was found, with its figures. */
  readonly found: string;
  /** What to do, as a command if there is one. */
  readonly remedy?: string;
}

/** What the host is looked at for. */
export interface Purpose {
  /** The devices that packets are forwarded between. */
  readonly devices: readonly string[];
  /** How packets are kept from the host's stack, as configured; undefined: the first way that the kernel has. */
  readonly stealing: string | undefined;
  readonly tunnels: readonly TunnelWanted[];
  readonly direct: readonly DirectWanted[];
  /** The folder of the history and of captures of crashes. */
  readonly stateFolder: string;
  /** Frames that were lost because a worker was too slow, by device; empty where nothing runs. */
  readonly lostFrames: ReadonlyMap<string, number>;
  /** The processes of the running Sluice. */
  readonly processes: readonly { readonly name: string; readonly pid: number }[];
}

/** A tunnel to a real server, and the headers that it puts in front of a packet. */
export interface TunnelWanted {
  readonly server: string;
  readonly overhead: number;
}

/** A real server in DR mode, which has the address of its service, too. */
export interface DirectWanted {
  readonly address: string;
  readonly server: string;
}

export type Look = (host: Host, purpose: Purpose) => readonly Finding[];
