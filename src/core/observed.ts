// SPDX-License-Identifier: Apache-2.0
// What was observed while Sluice runs, as opposed to what a person configured. A snapshot never holds an observation:
// the function `effective` of a section combines both into the model that a plane runs.

/** Whether health checks reach a real server. */
export type Health = 'up' | 'down';

/**
 * What becomes of a real server that is down.
 * - `inhibit`: the server stays with weight 0. It takes no new flows and keeps its flows (keepalived's
 *   `inhibit_on_failure`).
 * - `remove`: the server leaves its service until it is up again (keepalived's default).
 */
export type FailureAction = 'inhibit' | 'remove';

export interface Observed {
  /**
   * By the key of a real server within its service, such as `tcp 10.0.1.100:80 server 10.0.2.11:8080`: two services may
   * check the same host differently. A real server that is not listed is up.
   */
  readonly servers?: ReadonlyMap<string, Health>;
  /** `inhibit` unless given. */
  readonly onFailure?: FailureAction;
}

export const nothingObserved: Observed = {};
