// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { until } from '../../../lab/topology/until.ts';
import { VirtualClock } from '../../../src/core/clock.ts';
import { isStopped, Watch } from '../../../src/daemon/watch.ts';

function watch(isProcessStopped = () => false) {
  const clock = new VirtualClock();
  const silences: number[] = [];
  const watched = new Watch({
    clock,
    hangMilliseconds: 10_000,
    isStopped: isProcessStopped,
    hung: milliseconds => silences.push(milliseconds),
  });
  return { clock, silences, watched };
}

const alive = { isInspected: false };

describe('the watch over a process', () => {
  it('lets a process go on that gives signs of life, and gives it up after ten seconds without one', async () => {
    const { clock, silences, watched } = watch();
    for (let second = 0; second < 20; second += 9) {
      watched.alive(alive);
      await clock.advance(9000);
    }
    expect(silences).toEqual([]);
    await clock.advance(1000);
    expect(silences).toEqual([10_000]);
    expect(clock.pending).toBe(0);
  });

  it('gives a process a minute to load its code', async () => {
    const { clock, silences } = watch();
    await clock.advance(59_000);
    expect(silences).toEqual([]);
    await clock.advance(1000);
    expect(silences).toEqual([60_000]);
  });

  it('waits for a person who has stopped the process, and begins anew when it goes on', async () => {
    let stopped = true;
    const { clock, silences, watched } = watch(() => stopped);
    watched.alive(alive);
    await clock.advance(3_600_000);
    expect(silences).toEqual([]);
    stopped = false;
    await clock.advance(9000);
    expect(silences).toEqual([]);
    await clock.advance(1000);
    expect(silences).toHaveLength(1);
  });

  it('waits for a debugger', async () => {
    const { clock, silences, watched } = watch();
    watched.alive({ isInspected: true });
    await clock.advance(3_600_000);
    expect(silences).toEqual([]);
  });

  it('sees that a process is stopped', async () => {
    const child = spawn('sleep', ['60']);
    try {
      await once(child, 'spawn');
      const pid = child.pid ?? 0;
      expect(isStopped(pid)).toBe(false);
      child.kill('SIGSTOP');
      await until('the process is stopped', 10_000, async () => isStopped(pid));
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    expect(isStopped(child.pid ?? 0)).toBe(false);
  });
});
