// SPDX-License-Identifier: Apache-2.0
import type { Problem } from '../core/explanation.ts';
import type { Plane } from '../core/plane.ts';

/** A plane whose work control does itself, in its own process. */
export interface OwnPlane extends Plane {
  /** What is wrong with its work, for the status; nothing unless given. */
  readonly problems?: readonly Problem[];
  /** The snapshot in force has no section of the plane, or control ends: nothing is in force. It may be prepared again. */
  stop(): Promise<void>;
}
