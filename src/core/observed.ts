// SPDX-License-Identifier: Apache-2.0
// What was observed while Sluice runs, as opposed to what a person configured. A snapshot never holds an observation:
// the function `effective` of a section combines both into the model that a plane runs.
//
// A section says what it wants checked as groups of targets, such as a virtual service with its real servers
// (`Section.checked`). What observes them, health checks for one, answers with a state for each group and target.

/** Something whose targets are checked, such as a virtual service. */
export interface CheckedGroup {
  /** Unique among the groups of all sections: `tcp 10.0.1.100:80`. */
  readonly key: string;
  readonly targets: readonly CheckedTarget[];
  /** The group works while the weights of the targets that are up reach this sum. */
  readonly quorum: number;
  /** By how much the weights must pass the quorum, upwards and downwards, before the group changes its state. */
  readonly hysteresis: number;
  /** Seconds in which the share of a target that came back grows to the whole; 0: at once. */
  readonly slowStart: number;
  /** What a target is before its first result. */
  readonly start: Health;
}

export interface CheckedTarget {
  /** Unique in its group: `10.0.2.11:8080`. */
  readonly key: string;
  readonly address: string;
  readonly port: number;
  readonly weight: number;
  readonly checks: readonly AppliedCheck[];
  /** Absent where traffic goes to the address and port of the target. */
  readonly way?: TrafficWay;
  /** The target is up while the weights of its checks that pass reach this sum. */
  readonly need: number;
}

/** How traffic reaches a target that answers clients itself: to the address of its service, unchanged or wrapped. */
export interface TrafficWay {
  readonly service: { readonly address: string /** 0: any port. */; readonly port: number };
  /** `none`: in a frame to the target, which is on a link of this host. */
  readonly wrapping: 'none' | 'ipip' | 'gre' | 'gue';
  /** The UDP port of GUE; 0 otherwise. */
  readonly port: number;
  /** Whether the header of GRE or GUE has a checksum. */
  readonly checksum: boolean;
}

/** A check that a target has to pass, by its name. */
export interface AppliedCheck {
  readonly check: string;
  readonly weight: number;
}

/** Whether health checks reach a target. */
export type Health = 'up' | 'down';

export interface ObservedTarget {
  readonly health: Health;
  /** The weight that a check has found, in place of the configured one. */
  readonly weight?: number;
  /** Less than 1 during a slow start: the part of its weight that the target gets. */
  readonly share?: number;
}

export interface ObservedGroup {
  /** Whether the quorum is met. */
  readonly quorum: Health;
  /** By the keys of targets. A target that is not listed is up. */
  readonly targets: ReadonlyMap<string, ObservedTarget>;
}

/** Immutable. A group that did not change is the same object in the next observation. */
export interface Observed {
  /** By the keys of groups. A group that is not listed has its quorum and all targets up. */
  readonly groups: ReadonlyMap<string, ObservedGroup>;
}

export const nothingObserved: Observed = { groups: new Map() };
