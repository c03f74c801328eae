// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';
import { EventRing } from '../../../../src/core/events/ring.ts';

const numbered = (number: number) => ({ number });

it('numbers grow by one, a bounded number is kept, and a reader learns how many it has missed', () => {
  const ring = new EventRing<{ number: number }>(4);
  for (let i = 0; i < 7; i++) ring.add(numbered);
  expect(ring.last).toBe(7);
  expect(ring.after(0)).toEqual({ events: [4, 5, 6, 7].map(numbered), missed: 3 });
  expect(ring.after(5)).toEqual({ events: [6, 7].map(numbered), missed: 0 });
  expect(ring.after(7)).toEqual({ events: [], missed: 0 });
});

it('goes on after the events of an earlier ring', () => {
  const ring = new EventRing<{ number: number }>(2, [3, 4, 5].map(numbered));
  ring.add(numbered);
  expect(ring.events).toEqual([4, 5, 6].map(numbered));
});

it('wakes who waits for an event, and who waits no longer', async () => {
  const ring = new EventRing<{ number: number }>(2);
  const [patient, impatient] = [new AbortController(), new AbortController()];
  const woken = ring.added(0, patient.signal);
  const given = ring.added(5, impatient.signal);
  ring.add(numbered);
  await woken;
  impatient.abort();
  await given;
  expect(ring.last).toBe(1);
});
