// SPDX-License-Identifier: Apache-2.0
// A bound for the number of series of things of which a configuration may have any number, such as real servers: so many
// have series of their own, and all others together have one, `other`.
//
// Counters must not fall, and a thing must not change from one series to another while it is there. So:
//   - what has series of its own keeps them for as long as it is there. When it is gone, a thing that is new may have its
//     place. What is among the others stays among them;
//   - the counters of `other` grow by as much as those of the things that it stands for. They keep what was counted of
//     things that are gone.

import type { Sample } from './family.ts';

/** What is counted of one thing, or of all others. */
export interface CountedRow {
  /** The values of the labels. */
  readonly labels: readonly string[];
  readonly counters: readonly number[];
  /** Values that can be added up. */
  readonly gauges: readonly number[];
}

export const other = 'other';

export class BoundedRows {
  readonly #most: number;
  /** The things that have series of their own. */
  #own: ReadonlySet<string> = new Set();
  /** The counters of each of the others at the last look. */
  #seen: ReadonlyMap<string, readonly number[]> = new Map();
  /** The others together; undefined before there were any. */
  #others: CountedRow | undefined;

  constructor(most: number) {
    this.#most = most;
  }

  /** The rows that have series of their own, and after them that of all others. */
  take(rows: readonly CountedRow[]): CountedRow[] {
    const keys = rows.map(keyOf);
    const own = this.#choose(keys);
    this.#own = own;
    const isOwn = (index: number): boolean => own.has(keys[index] ?? '');
    this.#count(rows.filter((_, index) => !isOwn(index)));
    const shown = rows.filter((_, index) => isOwn(index));
    return this.#others === undefined ? shown : [...shown, this.#others];
  }

  #choose(keys: readonly string[]): Set<string> {
    const own = new Set(keys.filter(key => this.#own.has(key)));
    for (const key of keys) {
      if (own.size >= this.#most) break;
      if (!this.#seen.has(key)) own.add(key);
    }
    return own;
  }

  // Loops in place of closures: there may be a hundred thousand rows.
  #count(rows: readonly CountedRow[]): void {
    const before = this.#seen;
    const seen = new Map<string, readonly number[]>();
    this.#seen = seen;
    const [first = this.#others] = rows;
    if (first === undefined) return;
    const counters = this.#others?.counters.slice() ?? first.counters.map(() => 0);
    const gauges = first.gauges.map(() => 0);
    for (const row of rows) {
      const key = keyOf(row);
      const known = before.get(key);
      seen.set(key, row.counters);
      for (const [index, value] of row.counters.entries()) {
        counters[index] = (counters[index] ?? 0) + growth(known?.[index] ?? 0, value);
      }
      for (const [index, value] of row.gauges.entries()) gauges[index] = (gauges[index] ?? 0) + value;
    }
    this.#others = { labels: first.labels.map(() => other), counters, gauges };
  }
}

/** A counter that has fallen began again from zero. */
function growth(before: number, now: number): number {
  return now < before ? now : now - before;
}

function keyOf({ labels }: CountedRow): string {
  return labels.join('\0');
}

/** The samples of a family whose values are the counters of this index. */
export function countersOf(rows: readonly CountedRow[], index: number): Sample[] {
  return rows.map(({ labels, counters }) => ({ labels, value: counters[index] ?? 0 }));
}

/** The same of gauges. */
export function gaugesOf(rows: readonly CountedRow[], index: number): Sample[] {
  return rows.map(({ labels, gauges }) => ({ labels, value: gauges[index] ?? 0 }));
}

/** The samples of a family with one more label, which says which of several counters, from this index on, a sample is. */
export function labelledCountersOf(rows: readonly CountedRow[], index: number, values: readonly string[]): Sample[] {
  return rows.flatMap(({ labels, counters }) =>
    values.map((value, offset) => ({ labels: [...labels, value], value: counters[index + offset] ?? 0 })),
  );
}
