// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { VirtualClock } from '../../src/core/clock.ts';

it('a virtual clock runs every timer that is not cancelled, at its time, in order, in whatever steps it is moved', async () => {
  const timer = fc.record({ delay: fc.nat({ max: 50 }), cancelled: fc.boolean() });
  const steps = fc.array(fc.nat({ max: 20 }), { maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(fc.array(timer, { maxLength: 12 }), steps, async (timers, moves) => {
      const clock = new VirtualClock();
      const fired: { index: number; at: number }[] = [];
      for (const [index, { delay, cancelled }] of timers.entries()) {
        const set = clock.after(delay, () => fired.push({ index, at: clock.now() }));
        if (cancelled) set.cancel();
      }
      for (const move of [...moves, 50]) await clock.advance(move);
      const expected = timers
        .map(({ delay, cancelled }, index) => ({ index, at: delay, cancelled }))
        .filter(({ cancelled }) => !cancelled)
        .sort((a, b) => a.at - b.at || a.index - b.index)
        .map(({ index, at }) => ({ index, at }));
      expect(fired).toEqual(expected);
      expect(clock.pending).toBe(0);
    }),
  );
});
