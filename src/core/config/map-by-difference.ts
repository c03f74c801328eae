// SPDX-License-Identifier: Apache-2.0
import { sharedEnds } from './shared-ends.ts';

/**
 * Gives what `list.map(compute)` gives. Of a frozen list it computes only what is between the ends that the list shares
 * with the one before: a change of one service among thousands costs one call. The items are frozen throughout, and
 * `compute` is pure.
 */
export function mapByDifference<Item extends object, Result>(
  compute: (item: Item) => Result,
): (items: readonly Item[]) => readonly Result[] {
  let last: { readonly items: readonly Item[]; readonly results: readonly Result[] } = { items: [], results: [] };
  return items => {
    if (items === last.items) return last.results;
    if (!Object.isFrozen(items)) return items.map(item => compute(item));
    const { first, behind } = sharedEnds(last.items, items);
    const results = last.results.slice(0, first);
    for (const item of items.slice(first, items.length - behind)) results.push(compute(item));
    for (let at = last.results.length - behind; at < last.results.length; at++) {
      results.push(last.results[at] as Result);
    }
    last = { items, results: Object.freeze(results) };
    return results;
  };
}
