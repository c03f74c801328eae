// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { sleep, VirtualClock } from '../../src/core/clock.ts';
import { type Component, Lifecycle } from '../../src/core/lifecycle.ts';

// Milliseconds that a step takes and whether it fails at the end.
const step = fc.record({ takes: fc.nat({ max: 30 }), fails: fc.boolean() });

it('a lifecycle stops exactly what it started, in the reverse order, whatever fails and whenever it is stopped', async () => {
  const plans = fc.array(fc.record({ start: step, stop: step, heedsSignal: fc.boolean() }), { maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(plans, fc.nat({ max: 120 }), async (components, stopAt) => {
      const clock = new VirtualClock();
      const started: number[] = [];
      const stopped: number[] = [];
      const lifecycle = new Lifecycle(
        components.map(
          (plan, index): Component => ({
            name: String(index),
            async start(signal) {
              await sleep(clock, plan.start.takes, plan.heedsSignal ? signal : undefined);
              if (plan.start.fails) throw new Error('start');
              started.push(index);
            },
            async stop() {
              stopped.push(index);
              await sleep(clock, plan.stop.takes);
              if (plan.stop.fails) throw new Error('stop');
            },
          }),
        ),
        { clock, stopMilliseconds: 1_000 },
      );
      const starting = lifecycle.start().catch(() => {});
      await clock.advance(stopAt);
      const stopping = lifecycle.stop().catch(() => {});
      await clock.advance(1_000);
      await Promise.all([starting, stopping]);
      expect(stopped).toEqual(started.toReversed());
      expect(lifecycle.state).toBe('stopped');
      expect(clock.pending).toBe(0);
    }),
  );
});
