// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { sleep, VirtualClock } from '../../../src/core/clock.ts';
import { LifecycleError } from '../../../src/core/errors.ts';
import { type Component, Lifecycle } from '../../../src/core/lifecycle.ts';

type Behaviour = Partial<Omit<Component, 'name'>>;

const never = (): Promise<void> => new Promise(() => {});
const fail = (message: string) => (): never => {
  throw new Error(message);
};

// A lifecycle of components named a, b, c, … that write down what is asked of them.
function lifecycleOf(...behaviours: readonly Behaviour[]) {
  const clock = new VirtualClock();
  const journal: string[] = [];
  const components = behaviours.map((behaviour, index): Component => {
    const name = 'abcdef'.charAt(index);
    return {
      name,
      start(signal) {
        journal.push(`start ${name}`);
        return behaviour.start?.(signal);
      },
      stop(signal) {
        journal.push(`stop ${name}`);
        return behaviour.stop?.(signal);
      },
    };
  });
  return { clock, journal, lifecycle: new Lifecycle(components, { clock, stopMilliseconds: 1_000 }) };
}

async function rejectionOf(promise: Promise<unknown>): Promise<LifecycleError> {
  const error: unknown = await promise.then(
    () => 'resolved',
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(LifecycleError);
  return error as LifecycleError;
}

describe('a lifecycle', () => {
  it('starts in order and stops in the reverse order', async () => {
    const { clock, journal, lifecycle } = lifecycleOf({}, { start: async () => {} }, {});
    expect(lifecycle.state).toBe('idle');
    const starting = lifecycle.start();
    expect(lifecycle.state).toBe('starting');
    await starting;
    expect(lifecycle.state).toBe('running');
    const stopping = lifecycle.stop();
    expect(lifecycle.state).toBe('stopping');
    await stopping;
    expect(lifecycle.state).toBe('stopped');
    expect(journal).toEqual(['start a', 'start b', 'start c', 'stop c', 'stop b', 'stop a']);
    expect(clock.pending).toBe(0);
  });

  it('starts and stops once, however often it is told', async () => {
    const { journal, lifecycle } = lifecycleOf({});
    await Promise.all([lifecycle.start(), lifecycle.start()]);
    await Promise.all([lifecycle.stop(), lifecycle.stop()]);
    await lifecycle.stop();
    expect(journal).toEqual(['start a', 'stop a']);
  });

  it('stops what had started when a start fails, and says why', async () => {
    const { journal, lifecycle } = lifecycleOf({}, { stop: fail('stuck') }, { start: fail('port in use') }, {});
    const error = await rejectionOf(lifecycle.start());
    expect(journal).toEqual(['start a', 'start b', 'start c', 'stop b', 'stop a']);
    expect(error.code).toBe('SLUICE_LIFECYCLE_START');
    expect(error.message).toBe('a component did not start (port in use): "c"');
    expect(error.cause).toEqual(new Error('port in use'));
    expect(error.errors.map(String)).toEqual(['Error: port in use', 'LifecycleError: a component did not stop: "b"']);
    expect(lifecycle.state).toBe('stopped');
  });

  it('stops all components although some fail to stop, and tells of each', async () => {
    const { journal, lifecycle } = lifecycleOf({ stop: fail('one') }, {}, { stop: async () => fail('two')() });
    await lifecycle.start();
    const error = await rejectionOf(lifecycle.stop());
    expect(journal.slice(3)).toEqual(['stop c', 'stop b', 'stop a']);
    expect(error.code).toBe('SLUICE_LIFECYCLE_STOP');
    expect(error.message).toBe('not everything stopped cleanly (c: two; a: one)');
    expect(await rejectionOf(lifecycle.stop())).toBe(error);
  });

  it('gives all stops one deadline, after which it stops the rest without waiting', async () => {
    let sawAbort = false;
    const { clock, journal, lifecycle } = lifecycleOf(
      {},
      { stop: never },
      {
        stop: async signal => {
          signal.addEventListener('abort', () => {
            sawAbort = true;
          });
          await never();
        },
      },
      { stop: () => sleep(clock, 999) },
    );
    await lifecycle.start();
    const stopping = rejectionOf(lifecycle.stop());
    await clock.advance(999);
    expect(journal.slice(4)).toEqual(['stop d', 'stop c']);
    expect(sawAbort).toBe(false);
    await clock.advance(1);
    expect(sawAbort).toBe(true);
    expect((await stopping).message).toBe(
      'not everything stopped cleanly (c: not within 1000 ms; b: not within 1000 ms)',
    );
    expect(journal.slice(4)).toEqual(['stop d', 'stop c', 'stop b', 'stop a']);
    expect(lifecycle.state).toBe('stopped');
  });

  it('cancels a start by the signal and stops the components that had started', async () => {
    const controller = new AbortController();
    const { clock, journal, lifecycle } = lifecycleOf({}, { start: signal => sleep(clock, 5_000, signal) }, {});
    const starting = rejectionOf(lifecycle.start(controller.signal));
    await clock.advance(10);
    controller.abort(new Error('changed my mind'));
    const error = await starting;
    expect(error.code).toBe('SLUICE_LIFECYCLE_ABORTED');
    expect(error.message).toBe('starting was called off (changed my mind): "b"');
    expect(journal).toEqual(['start a', 'start b', 'stop a']);
    expect(clock.pending).toBe(0);
  });

  it('starts nothing when the signal was aborted before', async () => {
    const { journal, lifecycle } = lifecycleOf({});
    expect((await rejectionOf(lifecycle.start(AbortSignal.abort('no')))).code).toBe('SLUICE_LIFECYCLE_ABORTED');
    expect(journal).toEqual([]);
  });

  it('stops a component whose start succeeded although it was called off', async () => {
    const { clock, journal, lifecycle } = lifecycleOf({}, { start: () => sleep(clock, 500) }, {});
    const starting = rejectionOf(lifecycle.start());
    await clock.advance(0);
    const stopping = lifecycle.stop();
    await clock.advance(500);
    await stopping;
    expect((await starting).code).toBe('SLUICE_LIFECYCLE_ABORTED');
    expect(journal).toEqual(['start a', 'start b', 'stop b', 'stop a']);
  });

  it('abandons at the deadline a start that neither succeeds nor fails', async () => {
    const { clock, journal, lifecycle } = lifecycleOf({}, { start: never });
    const starting = rejectionOf(lifecycle.start());
    await clock.advance(0);
    const stopping = rejectionOf(lifecycle.stop());
    await clock.advance(1_000);
    expect((await stopping).message).toBe('not everything stopped cleanly (b: not within 1000 ms)');
    expect((await starting).code).toBe('SLUICE_LIFECYCLE_ABORTED');
    expect(journal).toEqual(['start a', 'start b', 'stop a']);
  });

  it('stopped before it was started, starts nothing', async () => {
    const { journal, lifecycle } = lifecycleOf({});
    await lifecycle.stop();
    expect((await rejectionOf(lifecycle.start())).code).toBe('SLUICE_LIFECYCLE_ABORTED');
    expect(journal).toEqual([]);
    expect(lifecycle.state).toBe('stopped');
  });
});
