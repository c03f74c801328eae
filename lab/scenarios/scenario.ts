// SPDX-License-Identifier: Apache-2.0
import type { Ability, Forwarding, RunningBalancer } from '../balancers/balancer.ts';
import type { TopologyDescription } from '../topology/description.ts';
import type { Host } from '../topology/host.ts';
import { LabError } from '../topology/lab-error.ts';

export interface Scenario {
  readonly name: string;
  /** A sentence about what holds when it passes. */
  readonly title: string;
  readonly topology: TopologyDescription;
  /** What the balancer is to do, on the host `balancer`. A balancer is used that can do all of it. */
  readonly forwarding: Forwarding;
  readonly needs?: readonly Ability[];
  /** Of the kernel: played where it is there. */
  readonly kernel?: 'sctp';
  /** Fails by throwing. */
  play(stage: Stage): Promise<void>;
}

/** A scenario's topology with the balancer running. */
export interface Stage {
  readonly host: (name: string) => Host;
  readonly client: Host;
  readonly balancer: RunningBalancer;
  /** A figure that is worth a line beside the result. */
  readonly note: (text: string) => void;
}

/** Throws what is wrong when the condition does not hold. */
export function expect(condition: boolean, otherwise: string): void {
  if (!condition) throw new LabError(otherwise);
}
