// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { canonicalJson, deepFreeze, digestOf, sha256 } from '../../../src/core/config/canonical.ts';
import { nearest, suggest } from '../../../src/core/config/suggest.ts';

describe('the canonical text', () => {
  it.each<[unknown, string]>([
    [{ b: 1, a: [true, null, 'x'] }, '{"a":[true,null,"x"],"b":1}'],
    // RFC 8785, 3.2.3: the order is that of UTF-16 code units.
    [
      {
        '\u20ac': 'Euro Sign',
        '\r': 'CR',
        '\ufb33': 'Dalet',
        '1': 'One',
        '\ud83d\ude00': 'Smile',
        '\u0080': 'Control',
        '\u00f6': 'o',
      },
      '{"\\r":"CR","1":"One","\u0080":"Control","\u00f6":"o","\u20ac":"Euro Sign","\ud83d\ude00":"Smile","\ufb33":"Dalet"}',
    ],
    // RFC 8785, 3.2.2.3.
    [[Number('333333333.33333329'), 1e30, 4.5, 2e-3, 1e-27, -0], '[333333333.3333333,1e+30,4.5,0.002,1e-27,0]'],
    [{ a: undefined, b: 1 }, '{"b":1}'],
  ])('of %j is %s', (value, text) => {
    expect(canonicalJson(value)).toBe(text);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, undefined, () => 1])('of %s does not exist', value => {
    expect(() => canonicalJson(value)).toThrow(TypeError);
  });

  it('is what the digest is of, for frozen values only', () => {
    expect(digestOf(deepFreeze({ b: 1, a: 2 }))).toBe(sha256('{"a":2,"b":1}'));
    expect(() => digestOf({})).toThrow('only a frozen value has a lasting digest');
  });
});

describe('a suggestion', () => {
  const known = ['scheduler', 'servers', 'persistence', 'rr', 'wrr', 'lc', 'wlc'];

  it.each([
    ['sheduler', 'scheduler'],
    ['Scheduler', 'scheduler'],
    ['serversx', 'servers'],
    ['persistance', 'persistence'],
    ['wrrr', 'wrr'],
    ['wcl', 'wlc'],
    ['frobnicate', undefined],
    ['x'.repeat(100_000), undefined],
  ])('for %.12s is %s', (word, meant) => {
    expect(nearest(word, known)).toBe(meant);
  });

  it('lists what is known when nothing is near', () => {
    expect(suggest('frobnicate', ['a', 'b', 'c'])).toBe('use a, b or c');
  });
});
