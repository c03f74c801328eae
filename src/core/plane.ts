// SPDX-License-Identifier: Apache-2.0
// A plane is one capability at work: the director, later the resolver, the gateway and others. The control plane gives
// every plane its part of a snapshot in two steps:
//
//   prepare   may refuse, take long and fail. Nothing that works changes.
//   commit    makes the prepared part the one in force. A commit may not fail: whatever can fail belongs to prepare.
//   abort     forgets the prepared part, because another plane refused.
//
// So a snapshot comes into force on all planes or on none.
//
// A plane also explains what it does, to a person who asks (explanation.ts).
import type { Finding, Subject } from './explanation.ts';

/** A plane's part of a snapshot. */
export interface PlanePart<Model = unknown> {
  /** The snapshot's. */
  readonly id: string;
  /** Equal for equal models. */
  readonly digest: string;
  /** The section's effective model: as a person wants it, corrected by what was observed. Frozen. */
  readonly model: Model;
}

/** A part that a plane can bring into force at once. One of the two functions is called, once. */
export interface Prepared {
  /** What will be different, a line each. */
  readonly changes: readonly string[];
  commit(): Promise<void>;
  abort(): Promise<void>;
}

export interface Plane<Model = unknown> {
  /** Also the key of its section, and the first segment of the paths of its routes. */
  readonly name: string;
  /** Throws when the plane cannot do what the part asks for. The signal is aborted when nobody waits any longer. */
  prepare(part: PlanePart<Model>, signal: AbortSignal): Promise<Prepared>;
  /** The digest of the part that is in force; undefined before the first commit. */
  inForce(signal?: AbortSignal): Promise<string | undefined>;
  /** What it does about the subject, and why. Nothing for a subject that is none of its own. */
  explain?(subject: Subject, signal?: AbortSignal): Promise<readonly Finding[]>;
  /** What the next process needs besides the part, should this one crash: a value of JSON. */
  handover?(): unknown;
}
