// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../src/core/clock.ts';
import { createLogger } from '../../../src/core/logger.ts';
import { ManagedProcess } from '../../../src/daemon/managed-process.ts';
import { type ProcessPolicy, usualBackOff } from '../../../src/daemon/process-policy.ts';
import type { Ending } from '../../../src/daemon/started-process.ts';
import { FakeChild } from './fake-child.ts';

function manage(policy: Partial<ProcessPolicy> = {}, isFirstStart = true) {
  const clock = new VirtualClock(1_000_000);
  const children: FakeChild[] = [];
  const states: string[] = [];
  const failures: Ending[] = [];
  const managed: ManagedProcess = new ManagedProcess({
    policy: {
      name: 'director',
      standsBy: false,
      capabilities: [],
      programs: 'none',
      backOff: usualBackOff,
      hangMilliseconds: 10_000,
      ...policy,
    },
    user: 'sluice',
    clock,
    logger: createLogger({ level: 'silent' }),
    launch: () => {
      const child = new FakeChild(100 + children.length);
      children.push(child);
      return child.launched;
    },
    work: { token: 't', planes: {} },
    changed: () => void states.push(managed.state.state),
    isFirstStart: () => isFirstStart,
    failed: ending => void failures.push(ending),
    refused: () => undefined,
    reloading: () => undefined,
    planes: () => undefined,
    ask: () => undefined,
  });
  const child = (index: number): FakeChild => {
    const found = children[index];
    if (found === undefined) throw new Error(`there is no child ${index}`);
    return found;
  };
  return { managed, clock, children, child, states, failures };
}

const crashStates = (child: FakeChild) =>
  child.received.filter(({ kind }) => kind === 'work').map(({ fields }) => fields.crashState);

describe('a process of the table', () => {
  it('is told to work, and is running when it reports so', () => {
    const { managed, child, states } = manage();
    managed.start();
    const fields = { token: 't', planes: {}, crashState: 'keep', replaces: false };
    expect(child(0).received).toEqual([{ kind: 'work', fields }]);
    child(0).says('ready');
    expect(states).toEqual(['starting', 'running']);
    expect(managed.state).toEqual({
      name: 'director',
      state: 'running',
      user: 'sluice',
      pid: 100,
      since: new Date(1_000_000).toISOString(),
      restarts: 0,
    });
  });

  it('that ends before it has ever worked is not started again', () => {
    const { managed, child, children, failures } = manage();
    managed.start();
    child(0).ends(1);
    expect(failures).toEqual([{ status: 1, signal: null }]);
    expect(children).toHaveLength(1);
    expect(managed.state.state).toBe('stopped');
  });

  it.each([
    ['a signal', null, 'SIGKILL', 'by SIGKILL'],
    ['an exception', 1, null, 'with exit status 1'],
    ['status 0, which nobody asked for', 0, null, 'with exit status 0'],
  ])('that ends by %s is started again at once after a long life', async (_, status, signal, lastEnd) => {
    const { managed, clock, child } = manage();
    managed.start();
    child(0).says('ready');
    await clock.advance(5000);
    child(0).ends(status, signal);
    expect(crashStates(child(1))).toEqual(['keep']);
    expect(managed.state).toMatchObject({ state: 'starting', pid: 101, restarts: 1 });
    expect(managed.state.lastError?.message).toBe(`process 100 ended ${lastEnd}`);
  });

  it('waits longer after each short life, and forgets the crash state after three', async () => {
    const { managed, clock, child, children } = manage();
    managed.start();
    child(0).says('ready');
    const waits = [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000];
    for (const [lives, wait] of waits.entries()) {
      child(lives).ends(null, 'SIGSEGV');
      expect(managed.state.state).toBe('waiting');
      await clock.advance(wait - 1);
      expect(children).toHaveLength(lives + 1);
      await clock.advance(1);
      expect(crashStates(child(lives + 1))).toEqual([lives + 1 < 3 ? 'keep' : 'forget']);
    }
  });

  it('gets a standby process once it works, which works at once when the process ends', async () => {
    const { managed, clock, child, children } = manage({ standsBy: true });
    managed.start();
    expect(children).toHaveLength(1);
    child(0).says('ready');
    expect(child(1).received).toEqual([]);
    await clock.advance(5000);
    child(0).ends(null, 'SIGKILL');
    expect(managed.state.pid).toBe(101);
    expect(crashStates(child(1))).toEqual(['keep']);
    child(1).says('ready');
    expect(children).toHaveLength(3);
  });

  it('replaces a standby process that ended, after a delay that grows', async () => {
    const { managed, clock, child, children } = manage({ standsBy: true });
    managed.start();
    child(0).says('ready');
    expect(managed.state.standsBy).toBe(101);
    for (const [lives, wait] of [1000, 2000, 4000].entries()) {
      child(1 + lives).ends(1);
      expect(managed.state.standsBy).toBeUndefined();
      await clock.advance(wait - 1);
      expect(children).toHaveLength(2 + lives);
      await clock.advance(1);
      expect(managed.state.standsBy).toBe(102 + lives);
    }
    child(0).ends(1);
    expect(managed.state).toMatchObject({ pid: 104, restarts: 1 });
  });

  it('goes on without a standby process during that delay', async () => {
    const { managed, clock, child } = manage({ standsBy: true });
    managed.start();
    child(0).says('ready');
    await clock.advance(5000);
    child(1).ends(1);
    await clock.advance(0);
    child(2).ends(1);
    child(0).ends(1);
    expect(managed.state.pid).toBe(103);
    child(3).says('ready');
    await clock.advance(60_000);
    expect(managed.state).toMatchObject({ pid: 103, standsBy: 104 });
  });

  it('is killed when it hangs, and the one that stands by takes its place', async () => {
    const { managed, clock, child } = manage({ standsBy: true });
    managed.start();
    child(0).says('alive', { isInspected: false });
    child(0).says('ready');
    for (let second = 0; second < 10; second++) {
      child(1).says('alive', { isInspected: false });
      await clock.advance(1000);
    }
    expect([child(0).signals, child(1).signals]).toEqual([['SIGKILL'], []]);
    child(0).ends(null, 'SIGKILL');
    expect(managed.state).toMatchObject({ pid: 101, restarts: 1 });
    expect(managed.state.lastError?.message).toBe('process 100 did not react for 10 s and was killed');
  });

  it('that stands by is killed and replaced when it hangs', async () => {
    const { managed, clock, child, children } = manage({ standsBy: true });
    managed.start();
    child(0).says('ready');
    child(1).says('alive', { isInspected: false });
    await clock.advance(10_000);
    expect(child(1).signals).toEqual(['SIGKILL']);
    child(1).ends(null, 'SIGKILL');
    await clock.advance(0);
    expect(children).toHaveLength(3);
    expect(managed.state).toMatchObject({ pid: 100, standsBy: 102 });
  });

  it('that stands by and says more than that it is alive is killed', () => {
    const { managed, child } = manage({ standsBy: true });
    managed.start();
    child(0).says('ready');
    child(1).says('planes', { names: [] });
    expect([child(0).signals, child(1).signals]).toEqual([[], ['SIGKILL']]);
  });

  it('asks no more than once for the end, however often it is told to stop', async () => {
    const { managed, clock, child } = manage();
    managed.start();
    child(0).says('ready');
    const all = Promise.all(Array.from({ length: 1000 }, () => managed.stop(1000)));
    expect(clock.pending).toBe(1);
    child(0).ends(0);
    await all;
    expect(child(0).signals).toEqual(['SIGTERM']);
  });

  it('is asked to end, and killed when it does not', async () => {
    const { managed, clock, child } = manage({ standsBy: true });
    managed.start();
    child(0).says('ready');
    const stopped = managed.stop(1000);
    expect(child(0).signals).toEqual(['SIGTERM']);
    expect(child(1).signals).toEqual(['SIGKILL']);
    await clock.advance(1000);
    expect(child(0).signals).toEqual(['SIGTERM', 'SIGKILL']);
    child(0).ends(null, 'SIGKILL');
    await stopped;
    expect(managed.state.state).toBe('stopped');
    expect(clock.pending).toBe(0);
  });

  it('is followed by another one when it is wanted again before it has ended', async () => {
    const { managed, child } = manage();
    managed.start();
    child(0).says('ready');
    const stopped = managed.stop(1000);
    managed.start();
    child(0).ends(0);
    await stopped;
    expect(managed.state).toMatchObject({ state: 'starting', pid: 101 });
  });

  it('that ends before it is ready is started again once others work', async () => {
    const { managed, clock, child, failures } = manage({}, false);
    managed.start();
    child(0).ends(1);
    expect(failures).toEqual([]);
    await clock.advance(1000);
    expect(managed.state).toMatchObject({ state: 'starting', pid: 101, restarts: 1 });
  });

  it('is not started again when its end is expected, whoever has asked for it', async () => {
    const { managed, clock, child, children } = manage();
    managed.start();
    child(0).says('ready');
    managed.expectEnd();
    child(0).ends(0);
    await managed.stop(1000);
    await clock.advance(60_000);
    expect(children).toHaveLength(1);
    expect(managed.state.state).toBe('stopped');
  });

  it('ends for all who have asked it to', async () => {
    const { managed, clock, child } = manage();
    managed.start();
    child(0).says('ready');
    const stopped = Promise.all([managed.stop(1000), managed.stop(1000)]);
    child(0).ends(0);
    await stopped;
    await clock.advance(60_000);
    expect(child(0).signals).toEqual(['SIGTERM']);
  });

  it('is not started again when it is stopped while it waits', async () => {
    const { managed, clock, child, children } = manage();
    managed.start();
    child(0).says('ready');
    child(0).ends(1);
    await managed.stop(1000);
    await clock.advance(60_000);
    expect(children).toHaveLength(1);
  });

  it.each([
    ['is of another version', { version: 0, kind: 'ready', fields: {} }],
    ['is of a kind that is not known', { version: 1, kind: 'please', fields: {} }],
    ['has fields of another type', { version: 1, kind: 'planes', fields: { names: 'all' } }],
    ['is no message at all', 'ready'],
  ])('that says what %s is ended, not taken for one that is ready', (_, message) => {
    const { managed, child, states } = manage();
    managed.start();
    child(0).saysRaw(message);
    expect(child(0).signals).toEqual(['SIGKILL']);
    expect(states).toEqual(['starting']);
  });
});
