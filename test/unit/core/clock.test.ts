// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it, vi } from 'vitest';
import { sleep, systemClock, VirtualClock } from '../../../src/core/clock.ts';

describe('the virtual clock', () => {
  it('does not advance by itself', async () => {
    const clock = new VirtualClock(1_000);
    expect([clock.now(), clock.monotonic()]).toEqual([1_000, 0n]);
    await clock.advance(250);
    expect([clock.now(), clock.monotonic()]).toEqual([1_250, 250_000_000n]);
  });

  it('runs timers in the order of their times, equal ones in the order in which they were set', async () => {
    const clock = new VirtualClock();
    const fired: string[] = [];
    for (const [name, milliseconds] of [
      ['c', 30],
      ['a', 10],
      ['d', 30],
      ['b', 20],
      ['late', 31],
    ] as const) {
      clock.after(milliseconds, () => fired.push(`${name}@${clock.now()}`));
    }
    await clock.advance(30);
    expect(fired).toEqual(['a@10', 'b@20', 'c@30', 'd@30']);
    expect(clock.pending).toBe(1);
  });

  it('runs timers that were set on the way', async () => {
    const clock = new VirtualClock();
    const fired: number[] = [];
    const tick = (): void => {
      fired.push(clock.now());
      clock.after(10, tick);
    };
    clock.after(10, tick);
    await clock.advance(35);
    expect(fired).toEqual([10, 20, 30]);
  });

  it('lets code after an await set its timer before it moves on', async () => {
    const clock = new VirtualClock();
    const woken: number[] = [];
    const work = async (): Promise<void> => {
      for (let turn = 0; turn < 3; turn += 1) {
        await sleep(clock, 5);
        woken.push(clock.now());
      }
    };
    void work();
    await clock.advance(100);
    expect(woken).toEqual([5, 10, 15]);
  });

  it('does not run a timer that was cancelled, even by one of the same moment', async () => {
    const clock = new VirtualClock();
    const callback = vi.fn();
    clock.after(5, () => timer.cancel());
    const timer = clock.after(5, callback);
    await clock.advance(5);
    expect(callback).not.toHaveBeenCalled();
    expect(clock.pending).toBe(0);
  });
});

describe('sleep', () => {
  it('rejects with the reason of its signal and leaves no timer behind', async () => {
    const clock = new VirtualClock();
    const controller = new AbortController();
    const sleeping = sleep(clock, 1_000, controller.signal);
    controller.abort('enough');
    await expect(sleeping).rejects.toBe('enough');
    expect(clock.pending).toBe(0);
    await expect(sleep(clock, 1, controller.signal)).rejects.toBe('enough');
    expect(clock.pending).toBe(0);
  });

  it('is over in time when its signal is not aborted', async () => {
    const clock = new VirtualClock();
    const sleeping = sleep(clock, 1_000, new AbortController().signal);
    await clock.advance(1_000);
    await expect(sleeping).resolves.toBeUndefined();
  });
});

describe('the system clock', () => {
  it("is the machine's", async () => {
    const before = process.hrtime.bigint();
    await sleep(systemClock, 1);
    expect(systemClock.monotonic()).toBeGreaterThan(before);
    expect(Math.abs(systemClock.now() - Date.now())).toBeLessThan(1_000);
  });

  it('does not run a timer early that is longer than setTimeout can be', () => {
    vi.useFakeTimers();
    try {
      const callback = vi.fn();
      const month = 31 * 24 * 3600 * 1000;
      systemClock.after(month, callback);
      vi.advanceTimersByTime(month - 1);
      expect(callback).not.toHaveBeenCalled();
      vi.advanceTimersByTime(1);
      expect(callback).toHaveBeenCalledOnce();
      systemClock.after(month, callback).cancel();
      const halfway = systemClock.after(month, callback);
      vi.advanceTimersByTime(month - 1);
      halfway.cancel();
      vi.advanceTimersByTime(month);
      expect(callback).toHaveBeenCalledOnce();
    } finally {
      vi.useRealTimers();
    }
  });
});
