// SPDX-License-Identifier: Apache-2.0
import type { Ability, Forwarding, RunningBalancer } from '../balancers/balancer.ts';
import type { TopologyDescription } from '../topology/description.ts';
import type { Host } from '../topology/host.ts';
import { LabError } from '../topology/lab-error.ts';

export interface Scenario {
  readonly name: string;
  /** A sentence: what is true when the scenario passes. */
  readonly title: string;
  readonly topology: TopologyDescription;
  /** The services that the balancer forwards, on the host `balancer`. */
  readonly forwarding: Forwarding;
  readonly needs?: readonly Ability[];
  /** A protocol that the kernel must have. */
  readonly kernel?: 'sctp';
  /** Fails by throwing. */
  play(stage: Stage): Promise<void>;
}

/** A scenario's topology with the balancer running. */
export interface Stage {
  readonly host: (name: string) => Host;
  readonly client: Host;
  readonly balancer: RunningBalancer;
  /** Adds a figure to the scenario's result. */
  readonly note: (text: string) => void;
}

/** Throws a LabError with the message `otherwise` unless the condition is true. */
export function expect(condition: boolean, otherwise: string): void {
  if (!condition) throw new LabError(otherwise);
}
