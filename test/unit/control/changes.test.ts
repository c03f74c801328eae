// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Changes } from '../../../src/control/changes.ts';
import { Control } from '../../../src/control/control.ts';
import { History } from '../../../src/control/history/history.ts';
import { VirtualClock } from '../../../src/core/clock.ts';
import { DocumentFormat } from '../../../src/core/config/snapshot.ts';
import { PlaneError } from '../../../src/core/errors.ts';
import type { EventFacts } from '../../../src/core/events/event.ts';
import { createLogger } from '../../../src/core/logger.ts';
import type { Plane, PlanePart } from '../../../src/core/plane.ts';
import { KeptSnapshot } from '../../../src/daemon/kept-snapshot.ts';
import { type ToyModel, toySection } from '../../process/toy-plane/section.ts';

const format = new DocumentFormat([toySection], { $id: 'urn:test', title: 'toy', description: 'A greeting.' });
const logger = createLogger({ level: 'silent' });
const alice = { author: 'alice' };
const toy = (greeting: string) => ({ toy: { greeting } });
const idOf = (greeting: string): string => format.from(toy(greeting)).id;

class TestPlane implements Plane<ToyModel> {
  readonly name = 'toy';
  greeting: string | undefined;
  #digest: string | undefined;
  refusal: Error | undefined;

  async prepare({ model, digest }: PlanePart<ToyModel>) {
    if (this.refusal !== undefined) throw this.refusal;
    return {
      changes: [],
      commit: async () => {
        this.greeting = model.greeting;
        this.#digest = digest;
      },
      abort: async () => undefined,
    };
  }

  async inForce() {
    return this.#digest;
  }
}

describe('changes', () => {
  let folder = '';
  const clock = new VirtualClock(Date.parse('2026-01-31T12:00:00Z'));
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-changes-'));
  });
  const opened: History[] = [];
  afterEach(async () => {
    await Promise.all(opened.splice(0).map(history => history.close()));
    rmSync(folder, { recursive: true, force: true });
  });

  /** Control as in its process. `memory` is what the supervisor holds. */
  async function begin({ plane = new TestPlane(), memory = { texts: undefined as string[] | undefined } } = {}) {
    const history = await History.open({ path: join(folder, 'history'), shown: '/state/history' }, clock, () => {});
    opened.push(history);
    const crashState = {
      configuration: () => memory.texts,
      keepConfiguration: (text: string) => {
        memory.texts = [text];
        return true;
      },
      extendConfiguration: (text: string) => {
        memory.texts?.push(text);
        return memory.texts !== undefined;
      },
    };
    const events: EventFacts[] = [];
    const kept = new KeptSnapshot(format, crashState, history, logger);
    const host = {
      planes: ['toy'],
      planesByDefault: [],
      plane: () => plane,
      checkReload: () => undefined,
      run: () => undefined,
      override: (_: string, model: unknown) => model,
      keep: kept.keep.bind(kept),
    };
    const control = new Control({ format, host, clock, logger });
    const read = async () => format.from(toy('from the file'));
    const changes = new Changes({ control, format, history, read, clock, logger, tell: facts => events.push(facts) });
    const before = kept.take();
    if (before === undefined) await control.change(read, { action: 'start', author: 'root' });
    else await control.resume(before);
    changes.resume();
    const what = (): unknown[] => history.entries.map(({ action, author, id }) => [action, author, id]);
    return { events, plane, memory, history, control, changes, what };
  }

  it('that are applied are in force, and in the history with author and reason', async () => {
    const { plane, changes, history } = await begin();
    const changed = await changes.apply(toy('hello'), { ...alice, reason: 'more polite' });
    expect(changed).toEqual({ id: idOf('hello'), changes: ['it says hello'], entry: 2 });
    expect(plane.greeting).toBe('hello');
    expect(history.entries).toEqual([
      { number: 1, id: idOf('from the file'), at: '2026-01-31T12:00:00.000Z', author: 'root', action: 'start' },
      {
        ...{ number: 2, id: idOf('hello'), at: '2026-01-31T12:00:00.000Z', author: 'alice', action: 'apply' },
        reason: 'more polite',
      },
    ]);
  });

  it('that say what is in force already are no entry and no event', async () => {
    const { changes, history, events } = await begin();
    expect(await changes.apply(toy('from the file'), alice)).toEqual({ id: idOf('from the file'), changes: [] });
    await changes.reload(alice);
    expect(history.entries).toHaveLength(1);
    expect(events).toEqual([]);
  });

  it('that are only tried change nothing, and a refusal of a plane comes back', async () => {
    const { plane, changes, history } = await begin();
    expect(await changes.apply(toy('hello'), { ...alice, dryRun: true })).toEqual({
      id: idOf('hello'),
      changes: ['it says hello'],
    });
    plane.refusal = new PlaneError('SLUICE_PLANE_REFUSED', 'not that');
    await expect(changes.apply(toy('hello'), { ...alice, dryRun: true })).rejects.toBe(plane.refusal);
    expect(plane.greeting).toBe('from the file');
    expect(history.entries).toHaveLength(1);
  });

  it('are counted by what became of them, those that are only tried not', async () => {
    const { plane, changes } = await begin();
    const counted = () => changes.outcomes.counts.filter(({ count }) => count > 0);
    expect([counted(), changes.outcomes.last]).toEqual([[], 'applied']);
    await changes.apply(toy('hello'), alice);
    await changes.apply(toy('tried'), { ...alice, dryRun: true });
    await changes.reload(alice);
    expect(changes.outcomes.last).toBe('applied');
    plane.refusal = new PlaneError('SLUICE_PLANE_REFUSED', 'not that');
    await expect(changes.apply(toy('no'), alice)).rejects.toBe(plane.refusal);
    await expect(changes.apply('nonsense', alice)).rejects.toThrow();
    expect(changes.outcomes.last).toBe('refused');
    expect(counted()).toEqual([
      { action: 'reload', outcome: 'applied', count: 1 },
      { action: 'apply', outcome: 'applied', count: 1 },
      { action: 'apply', outcome: 'refused', count: 2 },
    ]);
  });

  it('are told with their authors, the snapshots before and after, and what is different, refusals too, tries not', async () => {
    const { plane, changes, events } = await begin();
    await changes.apply(toy('hello'), { ...alice, reason: 'more polite' });
    await changes.apply(toy('tried'), { ...alice, dryRun: true });
    plane.refusal = new PlaneError('SLUICE_PLANE_REFUSED', 'not that');
    await expect(changes.apply(toy('no'), alice)).rejects.toBe(plane.refusal);
    plane.refusal = undefined;
    await changes.rollback(undefined, { author: 'bob' });
    const [before, after] = [idOf('from the file'), idOf('hello')];
    expect(events.map(({ kind }) => kind)).toEqual(['snapshot.applied', 'snapshot.refused', 'snapshot.rolled-back']);
    expect(events[0]).toEqual({
      ...{ kind: 'snapshot.applied', severity: 'info', subject: `snapshot ${after.slice(0, 12)}` },
      text: `alice brought snapshot ${after.slice(0, 12)} into force: 1 change`,
      fields: {
        ...{ author: 'alice', action: 'apply', reason: 'more polite', before, after, entry: 2 },
        ...{ outcome: 'in force', changes: ['it says hello'], changed: 1 },
      },
    });
    expect(events[1]).toEqual({
      ...{ kind: 'snapshot.refused', severity: 'warning', subject: `snapshot ${after.slice(0, 12)}` },
      text: 'a change by alice (apply) was refused: not that',
      fields: {
        ...{ author: 'alice', action: 'apply', before: after, outcome: 'refused' },
        ...{ error: 'not that', code: 'SLUICE_PLANE_REFUSED' },
      },
    });
    expect(events[2]).toMatchObject({ fields: { author: 'bob', back: 1, before: after, after: before } });
  });

  it('that are confirmed, or that nobody confirms in time, are told', async () => {
    const { changes, events } = await begin();
    await changes.apply(toy('kept'), { ...alice, confirmSeconds: 60 });
    await changes.confirm();
    await changes.apply(toy('forgotten'), { ...alice, confirmSeconds: 60 });
    await clock.advance(60_000);
    await vi.waitFor(() => expect(events.at(-1)?.kind).toBe('snapshot.gone-back'));
    expect(events.map(({ kind }) => kind)).toEqual([
      ...['snapshot.applied', 'snapshot.confirmed', 'snapshot.applied', 'snapshot.gone-back'],
    ]);
  });

  it('go back to the snapshot before, forth again, and to one that is named', async () => {
    const { plane, changes, what } = await begin();
    await changes.apply(toy('one'), alice);
    await changes.apply(toy('two'), alice);
    await changes.rollback(undefined, alice);
    expect(plane.greeting).toBe('one');
    await changes.rollback(undefined, alice);
    expect(plane.greeting).toBe('two');
    await changes.rollback('1', alice);
    expect(plane.greeting).toBe('from the file');
    await changes.rollback(idOf('one').slice(0, 10), alice);
    expect(plane.greeting).toBe('one');
    expect(what().slice(3)).toEqual([
      ['rollback', 'alice', idOf('one')],
      ['rollback', 'alice', idOf('two')],
      ['rollback', 'alice', idOf('from the file')],
      ['rollback', 'alice', idOf('one')],
    ]);
  });

  it.each([['7'], ['abc'], ['ffffffff']])('refuse to go back to %s, which the history does not have', async which => {
    const { changes } = await begin();
    await expect(changes.rollback(which, alice)).rejects.toMatchObject({ code: 'SLUICE_USAGE', value: which });
  });

  it('are undone when nobody confirms them in time, and stay when somebody does', async () => {
    const { plane, changes, what } = await begin();
    const { confirmBefore } = await changes.apply(toy('for a while'), { ...alice, confirmSeconds: 60 });
    expect(confirmBefore).toBe(new Date(clock.now() + 60_000).toISOString());
    await clock.advance(59_000);
    expect(plane.greeting).toBe('for a while');
    await clock.advance(1_000);
    await expect.poll(() => plane.greeting).toBe('from the file');
    await expect.poll(what).toContainEqual(['expired', 'sluice', idOf('from the file')]);

    await changes.apply(toy('for ever'), { ...alice, confirmSeconds: 60 });
    await changes.confirm();
    await clock.advance(120_000);
    expect(plane.greeting).toBe('for ever');
    await expect(changes.confirm()).rejects.toMatchObject({ code: 'SLUICE_USAGE' });
  });

  it('that wait for a confirmation are undone by the next control, if this one crashes', async () => {
    const first = await begin();
    await first.changes.apply(toy('for a while'), { ...alice, confirmSeconds: 60 });
    const { plane, changes } = await begin(first);
    expect(plane.greeting).toBe('for a while');
    changes.resume();
    await clock.advance(60_000);
    await expect.poll(() => plane.greeting).toBe('from the file');
  });

  it('are undone later when a plane refuses to go back at first', async () => {
    const { plane, changes } = await begin();
    await changes.apply(toy('for a while'), { ...alice, confirmSeconds: 1 });
    plane.refusal = new PlaneError('SLUICE_PLANE_REFUSED', 'not now');
    await clock.advance(1_000);
    plane.refusal = undefined;
    await expect
      .poll(async () => {
        await clock.advance(1_000);
        return plane.greeting;
      })
      .toBe('from the file');
  });

  it('wait for the confirmation of the one before, but a rollback does not', async () => {
    const { plane, changes } = await begin();
    await changes.apply(toy('for a while'), { ...alice, confirmSeconds: 60 });
    await expect(changes.apply(toy('other'), alice)).rejects.toMatchObject({ code: 'SLUICE_USAGE' });
    await expect(changes.reload(alice)).rejects.toMatchObject({ code: 'SLUICE_USAGE' });
    await changes.rollback(undefined, alice);
    expect(plane.greeting).toBe('from the file');
    await changes.apply(toy('other'), alice);
    await clock.advance(120_000);
    expect(plane.greeting).toBe('other');
  });

  it('that expect another snapshot than the one in force are refused', async () => {
    const { plane, changes } = await begin();
    await changes.apply(toy('one'), alice);
    await expect(changes.apply(toy('two'), { ...alice, expect: '1' })).rejects.toMatchObject({ code: 'SLUICE_USAGE' });
    expect(plane.greeting).toBe('one');
    await changes.apply(toy('two'), { ...alice, expect: '2' });
    expect(plane.greeting).toBe('two');
  });

  it('come into force after a crash between the history and the planes', async () => {
    const first = await begin();
    await first.history.add(idOf('decided'), toy('decided'), { action: 'apply', author: 'alice' });
    const { plane, control } = await begin(first);
    expect(plane.greeting).toBe('decided');
    expect(control.snapshot?.id).toBe(idOf('decided'));
  });

  it('that the history has lost are still in force after a crash: the memory has them', async () => {
    const first = await begin();
    await first.changes.apply(toy('one'), alice);
    await first.changes.apply(toy('two'), alice);
    rmSync(join(folder, 'history'), { recursive: true });
    const { plane } = await begin(first);
    expect(plane.greeting).toBe('two');
  });

  it('are refused without a history, which says why, and what runs goes on', async () => {
    writeFileSync(join(folder, 'history'), 'a file');
    const { plane, changes, history } = await begin();
    expect(plane.greeting).toBe('from the file');
    await expect(changes.apply(toy('hello'), alice)).rejects.toMatchObject({
      code: 'SLUICE_HISTORY',
      message: expect.stringContaining('/state/history'),
    });
    expect(plane.greeting).toBe('from the file');
    expect(history.entries).toEqual([]);
  });
});
