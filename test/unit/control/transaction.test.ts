// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { bringIntoForce } from '../../../src/control/transaction.ts';
import { VirtualClock } from '../../../src/core/clock.ts';
import { ConfigError, PlaneError } from '../../../src/core/errors.ts';
import type { Plane, PlanePart, Prepared } from '../../../src/core/plane.ts';

const part: PlanePart = { id: 'new', digest: 'd', model: {} };

/** A plane that writes down what it is asked for. */
function planeThat(
  name: string,
  log: string[],
  behaviour: Partial<Prepared> & { prepare?: () => Promise<void> } = {},
): Plane {
  const note = (what: string) => async (): Promise<void> => {
    log.push(`${name} ${what}`);
  };
  return {
    name,
    async prepare() {
      log.push(`${name} prepare`);
      await behaviour.prepare?.();
      return {
        changes: [`${name} changes`],
        commit: behaviour.commit ?? note('commit'),
        abort: behaviour.abort ?? note('abort'),
      };
    },
    inForce: async () => undefined,
  };
}

const never = (): Promise<never> => new Promise(() => undefined);

function bring(
  planes: readonly Plane[],
  log: string[],
  clock = new VirtualClock(),
  keep: () => Promise<void> = async () => void log.push('keep'),
) {
  const assignments = planes.map(plane => ({ plane, part }));
  return bringIntoForce(assignments, { clock, deadlineMilliseconds: 1000, keep });
}

describe('a snapshot', () => {
  it('is prepared by all planes, kept, and then committed by all', async () => {
    const log: string[] = [];
    const outcome = await bring([planeThat('a', log), planeThat('b', log)], log);
    expect(log).toEqual(['a prepare', 'b prepare', 'keep', 'a commit', 'b commit']);
    expect(outcome).toEqual({ changes: ['a: a changes', 'b: b changes'], behind: [] });
  });

  it('is aborted by all planes when one refuses, with the words of that one', async () => {
    const log: string[] = [];
    const refusal = new ConfigError('SLUICE_CONFIG_CONFLICT', 'the ports cannot be changed', { remedy: 'restart' });
    const refuses = planeThat('b', log, { prepare: () => Promise.reject(refusal) });
    await expect(bring([planeThat('a', log), refuses, planeThat('c', log)], log)).rejects.toBe(refusal);
    expect(log).toEqual(['a prepare', 'b prepare', 'c prepare', 'a abort', 'c abort']);
  });

  it('is aborted when a plane fails in a way that it does not explain, which names the plane', async () => {
    const log: string[] = [];
    const fails = planeThat('b', log, { prepare: () => Promise.reject(new TypeError('of undefined')) });
    const error = await bring([planeThat('a', log), fails], log).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'SLUICE_PLANE_REFUSED', value: 'b', cause: { message: 'of undefined' } });
    expect(log).toContain('a abort');
  });

  it('is aborted when a plane hangs until the deadline; what the plane has ready later is aborted too', async () => {
    const log: string[] = [];
    const clock = new VirtualClock();
    let answer = (): void => undefined;
    const hangs = planeThat('b', log, {
      prepare: () =>
        new Promise<void>(resolve => {
          answer = resolve;
        }),
    });
    const outcome = bring([planeThat('a', log), hangs], log, clock).catch((caught: unknown) => caught);
    await clock.advance(1000);
    expect(await outcome).toMatchObject({ code: 'SLUICE_PLANE_TIMEOUT', value: 'b' });
    expect(log).toEqual(['a prepare', 'b prepare', 'a abort']);
    answer();
    await Promise.resolve();
    await new Promise(setImmediate);
    expect(log.at(-1)).toBe('b abort');
  });

  it('is aborted when it cannot be kept', async () => {
    const log: string[] = [];
    const full = new Error('no space');
    const keep = async (): Promise<void> => {
      throw full;
    };
    await expect(bring([planeThat('a', log)], log, new VirtualClock(), keep)).rejects.toBe(full);
    expect(log).toEqual(['a prepare', 'a abort']);
  });

  it('is in force although the process of a plane ends between prepare and commit: that plane is behind', async () => {
    const log: string[] = [];
    const lost = new PlaneError('SLUICE_PLANE_LOST', 'the plane has no such change prepared');
    const dies = planeThat('b', log, { commit: () => Promise.reject(lost) });
    const { behind } = await bring([planeThat('a', log), dies], log);
    expect(log).toEqual(['a prepare', 'b prepare', 'keep', 'a commit']);
    expect(behind.map(({ plane, reason }) => [plane.name, reason])).toEqual([['b', lost]]);
  });

  it('is in force although a plane does not confirm its commit in time: that plane is behind', async () => {
    const log: string[] = [];
    const clock = new VirtualClock();
    const outcome = bring([planeThat('a', log, { commit: never })], log, clock);
    await new Promise(setImmediate);
    await clock.advance(1000);
    expect((await outcome).behind).toMatchObject([{ reason: { code: 'SLUICE_PLANE_TIMEOUT' } }]);
  });
});
