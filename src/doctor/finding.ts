// SPDX-License-Identifier: Apache-2.0
// What a look at the host gives.
import type { DirectorModel } from '../director/model.ts';
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
  /** What is configured; undefined where nothing runs and no file is given. */
  readonly model: DirectorModel | undefined;
  /** The state folder of the running Sluice, or the default one. */
  readonly stateFolder: string;
  /** Frames that were lost because a worker was too slow, by device; empty where nothing runs. */
  readonly lostFrames: ReadonlyMap<string, number>;
  /** The processes of the running Sluice. */
  readonly processes: readonly { readonly name: string; readonly pid: number }[];
}

export type Look = (host: Host, purpose: Purpose) => readonly Finding[];
