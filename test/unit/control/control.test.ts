// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { Control, type ControlHost } from '../../../src/control/control.ts';
import { VirtualClock } from '../../../src/core/clock.ts';
import type { Surroundings } from '../../../src/core/config/section.ts';
import { DocumentFormat, type Snapshot } from '../../../src/core/config/snapshot.ts';
import { ConfigError, PlaneError, UsageError } from '../../../src/core/errors.ts';
import { createLogger } from '../../../src/core/logger.ts';
import { nothingObserved, type Observed } from '../../../src/core/observed.ts';
import type { Plane, PlanePart } from '../../../src/core/plane.ts';
import { type ToyModel, toySection } from '../../process/toy-plane/section.ts';

const down: Observed = { groups: new Map([['loud', { quorum: 'down', targets: new Map() }]]) };

/** The greeting is softer while a server is down. */
const observingSection = {
  ...toySection,
  size: ({ greeting }: ToyModel): number => greeting.length,
  effective: (model: ToyModel, { observed }: Surroundings): ToyModel =>
    observed.groups.get('loud')?.quorum === 'down' ? { ...model, greeting: model.greeting.toLowerCase() } : model,
};
const sections = [observingSection] as const;
const format = new DocumentFormat(sections, { $id: 'urn:test', title: 'toy', description: 'A greeting.' });
type Toys = typeof sections;

/** A plane whose next changes go as a test wants. */
class TestPlane implements Plane<ToyModel> {
  readonly name = 'toy';
  model: ToyModel | undefined;
  digest: string | undefined;
  refusal: Error | undefined;
  commitFailure: Error | undefined;
  prepares = 0;
  isHanging = false;

  async prepare({ model, digest }: PlanePart<ToyModel>) {
    this.prepares++;
    if (this.isHanging) await new Promise(() => undefined);
    if (this.refusal !== undefined) throw this.refusal;
    return {
      changes: [`the toy says ${model.greeting}`],
      commit: async () => {
        if (this.commitFailure !== undefined) throw this.commitFailure;
        this.model = model;
        this.digest = digest;
      },
      abort: async () => undefined,
    };
  }

  async inForce() {
    return this.digest;
  }

  /** As a process that has taken the place of another. */
  forget(): void {
    this.model = undefined;
    this.digest = undefined;
  }
}

function controlOf(greeting: string) {
  const plane = new TestPlane();
  const clock = new VirtualClock(1_700_000_000_000);
  const kept: string[] = [];
  const asked: (readonly string[])[] = [];
  let text = greeting;
  const host: ControlHost<Toys> = {
    planes: ['toy'],
    planesByDefault: [],
    plane: () => plane,
    checkReload: (_before, after) => {
      if (after.toy.greeting === 'restart') throw new UsageError('the greeting cannot be changed while toy runs');
    },
    run: names => void asked.push(names),
    override: (_section, model) => model,
    keep: async snapshot => void kept.push(snapshot.id),
  };
  const control = new Control({ format, host, clock, logger: createLogger({ level: 'silent' }) });
  const configure = (next: string): void => {
    text = next;
  };
  const change = () =>
    control.change(() => format.from(text === '' ? {} : { toy: { greeting: text } }), {
      action: 'apply',
      author: 'tester',
    });
  return { control, plane, clock, kept, asked, configure, change };
}

const snapshotOf = (greeting: string): Snapshot<Toys> => format.from({ toy: { greeting } });

describe('control', () => {
  it('brings what it reads into force, keeps it, and says what is different', async () => {
    const { control, change, plane, kept, configure } = controlOf('hello');
    expect(await change()).toEqual({ id: snapshotOf('hello').id, changes: [] });
    configure('good day');
    expect(await change()).toEqual({ id: snapshotOf('good day').id, changes: ['it says good day'] });
    expect(plane.model).toEqual({ greeting: 'good day' });
    expect(kept).toEqual([snapshotOf('hello').id, snapshotOf('good day').id]);
    expect(control.snapshot?.id).toBe(snapshotOf('good day').id);
  });

  it('goes on with the snapshot before when a plane refuses, and says why', async () => {
    const { control, change, plane, kept, configure } = controlOf('hello');
    await change();
    plane.refusal = new ConfigError('SLUICE_CONFIG_INVALID', 'not that');
    configure('bad');
    await expect(change()).rejects.toBe(plane.refusal);
    expect(control.snapshot?.id).toBe(snapshotOf('hello').id);
    expect(kept).toEqual([snapshotOf('hello').id]);
    expect(control.behind.size).toBe(0);
  });

  it('refuses a change that needs a restart before any plane prepares', async () => {
    const { change, plane, configure } = controlOf('hello');
    await change();
    configure('restart');
    await expect(change()).rejects.toThrow('cannot be changed while toy runs');
    expect(plane.prepares).toBe(1);
  });

  it('gives a plane more time for a larger part', async () => {
    const { change, plane, configure, clock } = controlOf('hello');
    await change();
    plane.isHanging = true;
    configure('o'.repeat(5000));
    const refused = expect(change()).rejects.toThrow('the plane did not prepare within 11000 ms');
    await new Promise(setImmediate);
    clock.advance(11_000);
    await refused;
  });

  it('asks for no plane whose section is empty', async () => {
    const { change, plane, asked } = controlOf('');
    await change();
    expect(plane.prepares).toBe(0);
    expect(asked.at(-1)).toEqual([]);
  });

  it('makes one change at a time, in the order in which they were asked for', async () => {
    const { change, plane, configure } = controlOf('one');
    const first = change();
    const second = first.then(() => undefined);
    configure('two');
    const third = change();
    await Promise.all([first, second, third]);
    expect(plane.model).toEqual({ greeting: 'two' });
  });

  it('gives a plane whose process was replaced the snapshot in force, and leaves one that has it alone', async () => {
    const { control, change, plane } = controlOf('hello');
    await change();
    await control.reconcile('toy');
    expect(plane.prepares).toBe(1);
    plane.forget();
    await control.reconcile('toy');
    expect(plane.model).toEqual({ greeting: 'hello' });
  });

  it('tries again every second while a plane is behind, and says so until the plane has caught up', async () => {
    const { control, change, plane, clock, configure } = controlOf('hello');
    await change();
    plane.commitFailure = new PlaneError('SLUICE_PLANE_LOST', 'the plane has no such change prepared');
    configure('next');
    await change();
    expect(control.snapshot?.id).toBe(snapshotOf('next').id);
    expect(control.behind.get('toy')).toEqual({
      at: new Date(1_700_000_000_000).toISOString(),
      message: 'the plane has no such change prepared',
    });
    await clock.advance(1000);
    expect(control.behind.has('toy')).toBe(true);
    plane.commitFailure = undefined;
    await clock.advance(1000);
    expect(control.behind.size).toBe(0);
    expect(plane.model).toEqual({ greeting: 'next' });
  });

  it('goes on with a snapshot that the process before kept, without asking a plane that runs by it', async () => {
    const before = controlOf('hello');
    await before.change();
    const { control, plane } = controlOf('another text by now');
    plane.digest = before.plane.digest;
    await control.resume(snapshotOf('hello'));
    expect(control.snapshot?.id).toBe(snapshotOf('hello').id);
    expect(plane.prepares).toBe(0);
  });

  it('brings what was observed into force, says what the planes change, and keeps to it at the next reload', async () => {
    const { control, change, plane, kept, configure } = controlOf('HELLO');
    await change();
    const { id } = snapshotOf('HELLO');
    expect(await control.observe(down)).toEqual({ id, changes: ['toy: the toy says hello'] });
    expect(plane.model).toEqual({ greeting: 'hello' });
    configure('GOOD DAY');
    await change();
    expect(plane.model).toEqual({ greeting: 'good day' });
    await control.observe(nothingObserved);
    expect(plane.model).toEqual({ greeting: 'GOOD DAY' });
    expect(kept.at(-1)).toBe(snapshotOf('GOOD DAY').id);
  });

  it('asks no plane for anything when an observation changes none of their parts', async () => {
    const { control, change, plane } = controlOf('hello');
    await change();
    const { prepares } = plane;
    expect(await control.observe({ groups: new Map() })).toEqual({ id: snapshotOf('hello').id, changes: [] });
    expect(plane.prepares).toBe(prepares);
  });

  it('keeps what was observed before the first snapshot for that', async () => {
    const { control, change, plane } = controlOf('HELLO');
    expect(await control.observe(down)).toBeUndefined();
    await change();
    expect(plane.model).toEqual({ greeting: 'hello' });
  });

  it('goes on by what was observed before when a plane refuses', async () => {
    const { control, change, plane } = controlOf('HELLO');
    await change();
    plane.refusal = new ConfigError('SLUICE_CONFIG_INVALID', 'not that');
    await expect(control.observe(down)).rejects.toBe(plane.refusal);
    plane.refusal = undefined;
    plane.forget();
    await control.reconcile('toy');
    expect(plane.model).toEqual({ greeting: 'HELLO' });
  });

  it('asks no plane for anything once it is stopped', async () => {
    const { control, change, plane, clock, configure } = controlOf('hello');
    await change();
    plane.commitFailure = new PlaneError('SLUICE_PLANE_LOST', 'gone');
    configure('next');
    await change();
    control.stop();
    const { prepares } = plane;
    await clock.advance(60_000);
    expect(plane.prepares).toBe(prepares);
  });
});
