// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { mergeObserved as mergeUndecided } from '../../../src/control/observer.ts';
import { nothingObserved, type Observed } from '../../../src/core/observed.ts';
import type { ObservedAnswer } from '../../../src/core/observed-api.ts';

type Told = ObservedAnswer['groups'][number];

const down = { key: 'a', health: 'down', known: true } as const;
const group = (key: string, targets: Told['targets'], quorum: Told['quorum'] = 'up'): Told => ({
  key,
  quorum,
  targets,
});
const whole = (...groups: Told[]) => ({ whole: true, groups });
const part = (...groups: Told[]) => ({ whole: false, groups });

const mergeObserved = (known: Observed, answer: ReturnType<typeof whole>, undecided: readonly string[] = []) =>
  mergeUndecided(known, answer, new Set(undecided));

describe('what is known after an answer', () => {
  it('is what the answer tells, and what was known of groups that it does not tell', () => {
    const before = mergeObserved(nothingObserved, whole(group('one', [down]), group('two', [down], 'down')));
    const after = mergeObserved(before, part(group('one', [])));
    expect(after.groups.get('one')).toEqual({ quorum: 'up', targets: new Map() });
    expect(after.groups.get('two')).toBe(before.groups.get('two'));
  });

  it('has no group that a whole answer does not tell', () => {
    const before = mergeObserved(nothingObserved, whole(group('one', [down]), group('two', [down])));
    expect([...mergeObserved(before, whole(group('two', [down]))).groups.keys()]).toEqual(['two']);
  });

  it('keeps what was known of a target while a new process has no result of it', () => {
    const before = mergeObserved(nothingObserved, whole(group('one', [down], 'down')));
    const unknown = { key: 'a', health: 'up', known: false } as const;
    const after = mergeObserved(before, whole(group('one', [unknown])), ['one']);
    expect(after.groups.get('one')).toEqual({ quorum: 'down', targets: new Map([['a', { health: 'down' }]]) });
    expect(
      mergeObserved(nothingObserved, whole(group('one', [unknown])))
        .groups.get('one')
        ?.targets.get('a'),
    ).toEqual({
      health: 'up',
    });
  });

  it('has weights and slow starts', () => {
    const target = { key: 'a', health: 'up', known: true, weight: 3, share: 0.5 } as const;
    const { groups } = mergeObserved(nothingObserved, whole(group('one', [target])));
    expect(groups.get('one')?.targets.get('a')).toEqual({ health: 'up', weight: 3, share: 0.5 });
  });
});
