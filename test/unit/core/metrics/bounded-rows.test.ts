// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { BoundedRows, type CountedRow } from '../../../../src/core/metrics/bounded-rows.ts';

const row = (name: string, counter: number, gauge = 1): CountedRow => ({
  labels: [name, 'x'],
  counters: [counter],
  gauges: [gauge],
});
const others = (counter: number, gauge: number): CountedRow => ({
  labels: ['other', 'other'],
  counters: [counter],
  gauges: [gauge],
});

it('gives rows back as they are while there are no more than the bound', () => {
  const rows = [row('a', 1), row('b', 2)];
  expect(new BoundedRows(2).take(rows)).toEqual(rows);
  expect(new BoundedRows(2).take([])).toEqual([]);
});

it('adds up what is beyond the bound', () => {
  expect(new BoundedRows(1).take([row('a', 1), row('b', 20, 2), row('c', 300, 3)])).toEqual([
    row('a', 1),
    others(320, 5),
  ]);
});

it('leaves a thing in its series when the order changes, and when a place becomes free', () => {
  const bounded = new BoundedRows(1);
  bounded.take([row('a', 1), row('b', 20)]);
  expect(bounded.take([row('b', 21), row('a', 1)])).toEqual([row('a', 1), others(21, 1)]);
  expect(bounded.take([row('b', 22)])).toEqual([others(22, 1)]);
  expect(bounded.take([row('b', 22), row('new', 5)])).toEqual([row('new', 5), others(22, 1)]);
});

it('keeps what was counted of things that are gone, and counts on where a counter began again', () => {
  const bounded = new BoundedRows(1);
  bounded.take([row('a', 1), row('b', 20), row('c', 300)]);
  expect(bounded.take([row('a', 1), row('b', 4)])).toEqual([row('a', 1), others(324, 1)]);
  expect(bounded.take([row('a', 1)])).toEqual([row('a', 1), others(324, 0)]);
  expect(bounded.take([])).toEqual([others(324, 0)]);
});

it('lets no counter fall, and has no more series than the bound, whatever comes and goes', () => {
  const growth = fc.array(fc.tuple(fc.integer({ min: 0, max: 9 }), fc.nat(100)), { maxLength: 10 });
  fc.assert(
    fc.property(fc.nat(5), fc.array(growth, { maxLength: 20 }), (most, looks) => {
      const bounded = new BoundedRows(most);
      const totals = new Map<string, number>();
      let before = new Map<string, number>();
      for (const look of looks) {
        for (const [name, more] of look) totals.set(`${name}`, (totals.get(`${name}`) ?? 0) + more);
        const present = [...new Set(look.map(([name]) => `${name}`))];
        const taken = bounded.take(present.map(name => row(name, totals.get(name) ?? 0)));
        const now = new Map(taken.map(({ labels, counters }) => [labels[0] ?? '', counters[0] ?? 0]));
        expect(taken.length).toBeLessThanOrEqual(most + 1);
        expect(now.size).toBe(taken.length);
        for (const [name, value] of now) expect(value).toBeGreaterThanOrEqual(before.get(name) ?? 0);
        before = now;
      }
    }),
  );
});
