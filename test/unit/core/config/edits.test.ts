// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson, deepFreeze } from '../../../../src/core/config/canonical.ts';
import { applyEdits, difference } from '../../../../src/core/config/edits.ts';

const service = (port: number, ...servers: string[]) => ({ tcp: `10.0.0.1:${port}`, servers });

describe('the difference of two values', () => {
  it('is empty when they are equal', () => {
    expect(difference({ a: [1, { b: null }] }, { a: [1, { b: null }] })).toEqual([]);
  });

  it('names the path of a value that is different', () => {
    const before = { services: [service(80, 'a'), service(81, 'b')] };
    const after = { services: [service(80, 'a'), service(81, 'c')] };
    expect(difference(before, after)).toEqual([{ set: ['services', 1, 'servers', 0], value: 'c' }]);
  });

  it('says only what comes and goes in a long list', () => {
    const services = Array.from({ length: 10_000 }, (_, port) => service(port, 'a'));
    const added = service(70_000);
    expect(difference({ services }, { services: services.toSpliced(4000, 0, added) })).toEqual([
      { splice: ['services'], at: 4000, count: 0, items: [added] },
    ]);
    expect(difference({ services }, { services: services.toSpliced(4000, 1) })).toEqual([
      { splice: ['services'], at: 4000, count: 1, items: [] },
    ]);
  });

  it('takes a key without a value for no key', () => {
    expect(difference({ a: undefined, b: 1 }, { b: 1, c: undefined })).toEqual([]);
    expect(difference({ a: 1 }, { a: undefined })).toEqual([{ remove: ['a'] }]);
  });
});

describe('edits', () => {
  it('leave the value as it is, and share what they do not touch', () => {
    const before = deepFreeze({ one: { deep: [1, 2] }, two: { deep: [3] } });
    const after = applyEdits(before, [{ set: ['two', 'deep', 0], value: 4 }]);
    expect(after).toEqual({ one: { deep: [1, 2] }, two: { deep: [4] } });
    expect((after as typeof before).one).toBe(before.one);
    expect(before.two.deep).toEqual([3]);
  });

  it.each([
    [{ set: ['a', 'b'], value: 1 }, { c: 1 }],
    [{ set: [3], value: 1 }, [1]],
    [{ set: [0], value: 1 }, {}],
    [{ set: ['length'], value: 0 }, [1]],
    [{ remove: ['b'] }, { a: 1 }],
    [{ remove: [] }, {}],
    [{ remove: [0] }, [1]],
    [{ splice: [], at: 1, count: 1, items: [] }, [1]],
    [{ splice: ['a'], at: 0, count: 0, items: [] }, { a: 'text' }],
  ])('that do not fit are refused: %j', (edit, value) => {
    expect(() => applyEdits(value, [edit])).toThrow(RangeError);
  });

  it('know the key __proto__ as one like any other', () => {
    const [before, after] = [JSON.parse('{"a":1}'), JSON.parse('{"a":1,"__proto__":{"b":2}}')];
    const made = applyEdits(before, difference(before, after));
    expect(canonicalJson(made)).toBe(canonicalJson(after));
    expect(applyEdits(made, [{ set: ['__proto__', 'b'], value: 3 }])).not.toHaveProperty('b');
  });

  it('make any value from any other', () => {
    const json = fc.jsonValue({ maxDepth: 4 });
    const similar = fc.array(fc.record({ name: fc.constantFrom('a', 'b', 'c'), list: fc.array(fc.nat(3)) }));
    fc.assert(
      fc.property(fc.oneof(fc.tuple(json, json), fc.tuple(similar, similar)), ([before, after]) => {
        const edits = JSON.parse(JSON.stringify(difference(before, after)));
        expect(canonicalJson(applyEdits(deepFreeze(before), edits))).toBe(canonicalJson(after));
      }),
    );
  });
});
