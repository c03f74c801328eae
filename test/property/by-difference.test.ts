// SPDX-License-Identifier: Apache-2.0
// What is kept up by differences is what would come out anew.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mapByDifference } from '../../src/core/config/map-by-difference.ts';
import { sharedEnds } from '../../src/core/config/shared-ends.ts';

/** Lists of the same few items, so that many of them share their ends. */
const items = Array.from({ length: 4 }, (_, number) => Object.freeze({ number }));
const lists = fc.array(fc.constantFrom(...items), { maxLength: 8 });

describe('what is kept up by differences', () => {
  it('has the results of a map over each list of a sequence, and computes nothing twice for shared ends', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(lists, fc.boolean())), sequence => {
        let calls = 0;
        const map = mapByDifference(({ number }: { number: number }) => {
          calls++;
          return number * 2;
        });
        let before: readonly object[] = [];
        for (const [list, isFrozen] of sequence) {
          calls = 0;
          expect(map(isFrozen ? Object.freeze(list) : list)).toEqual(list.map(({ number }) => number * 2));
          if (!Object.isFrozen(list)) continue;
          const { first, behind } = sharedEnds(before, list);
          expect(calls).toBe(list === before ? 0 : list.length - first - behind);
          before = list;
        }
      }),
    );
  });

  it('finds ends that are shared, that do not overlap and that cannot be longer', () => {
    fc.assert(
      fc.property(lists, lists, (before, after) => {
        const { first, behind } = sharedEnds(before, after);
        expect(before.slice(0, first)).toEqual(after.slice(0, first));
        expect(before.slice(before.length - behind)).toEqual(after.slice(after.length - behind));
        const shorter = Math.min(before.length, after.length);
        expect(first + behind).toBeLessThanOrEqual(shorter);
        if (first + behind === shorter) return;
        expect(before[first]).not.toBe(after[first]);
        expect(before[before.length - 1 - behind]).not.toBe(after[after.length - 1 - behind]);
      }),
    );
  });
});
