// SPDX-License-Identifier: Apache-2.0
// What trying a target means for the code that schedules checks: a probe begins, and ends once with a result.
import type { TrafficWay } from '../core/observed.ts';
import type { Check } from './model.ts';

/** Where a probe goes. */
export interface Destination {
  readonly address: string;
  /** 0 where the target has no port of its own. */
  readonly port: number;
  /** The probe goes there as traffic does. */
  readonly way?: TrafficWay;
}

export interface ProbeResult {
  readonly passed: boolean;
  /** What was found, in words for a person: `HTTP 503 Service Unavailable`, `no connection: connection refused`. */
  readonly detail: string;
  /** The weight that was found, by a probe that sets weights. */
  readonly weight?: number;
  /** This host lacked something, such as descriptors: nothing is known of the target, and its state stays. */
  readonly isOpen?: true;
  readonly milliseconds: number;
}

/** A probe on its way. */
export interface RunningProbe {
  /** Ends the probe without a result. */
  cancel(): void;
}

/** Begins a probe. `done` is called once, within the check's timeout, unless the probe was cancelled; never before this returns. */
export type StartProbe = (check: Check, to: Destination, done: (result: ProbeResult) => void) => RunningProbe;
