// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { oncePerValue } from '../../../../src/core/config/once.ts';

describe('a function that is computed once for each value', () => {
  it('is computed once for a frozen value, and each time for one that may change', () => {
    let computed = 0;
    const double = oncePerValue(({ n }: { n: number }) => {
      computed++;
      return 2 * n;
    });
    const [frozen, equal, open] = [Object.freeze({ n: 1 }), Object.freeze({ n: 1 }), { n: 2 }];
    expect([double(frozen), double(frozen), double(equal)]).toEqual([2, 2, 2]);
    expect(computed).toBe(2);
    expect(double(open)).toBe(4);
    open.n = 3;
    expect(double(open)).toBe(6);
  });
});
