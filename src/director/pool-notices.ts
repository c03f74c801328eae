// SPDX-License-Identifier: Apache-2.0
// Notices of pools that are nearly empty, early enough for a person to add local addresses. A notice ends at a lower mark
// than it begins at, so that a pool near the mark gives no new notice again and again.
import type { Occupancy } from './occupancy.ts';

/** Of the ports towards one remote end, as PoolUse.fullest: the parts at which a notice begins, and below which it ends. */
const marks = { begin: 0.8, end: 0.7 } as const;

/** Is told of each pool that is nearly empty now, or is not any more. A pool that was removed is no news. */
export type PoolChanged = (pool: string, isNearlyEmpty: boolean) => void;

export class PoolNotices {
  readonly #changed: PoolChanged;
  /** The names of the pools that have a notice. */
  #noted: ReadonlySet<string> = new Set();

  constructor(changed: PoolChanged) {
    this.#changed = changed;
  }

  of({ pools }: Occupancy): string[] {
    const empty = pools.filter(({ name, fullest }) => fullest >= (this.#noted.has(name) ? marks.end : marks.begin));
    const before = this.#noted;
    this.#noted = new Set(empty.map(({ name }) => name));
    for (const name of this.#noted) if (!before.has(name)) this.#changed(name, true);
    for (const { name } of pools) if (before.has(name) && !this.#noted.has(name)) this.#changed(name, false);
    return empty.map(
      ({ name }) =>
        `the pool ${name} is nearly empty: one remote end has about ${marks.begin * 100} % of the ports or more; add local addresses to it`,
    );
  }
}
