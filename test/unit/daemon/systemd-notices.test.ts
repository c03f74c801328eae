// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../src/core/clock.ts';
import { SystemdNotices } from '../../../src/daemon/systemd-notices.ts';

function managerOf(environment: NodeJS.ProcessEnv) {
  const clock = new VirtualClock();
  const told: string[] = [];
  const manager = new SystemdNotices({
    ...{ environment, pid: 7, clock },
    tell: (socket, state) => told.push(`${socket}: ${state.split('\n')[0]}`) > 0,
  });
  return { clock, told, manager };
}

describe('a service manager', () => {
  it('is told once that all is ready, and that all ends', () => {
    const { told, manager } = managerOf({ NOTIFY_SOCKET: '/run/m' });
    manager.ready();
    manager.ready();
    manager.stopping();
    expect(told).toEqual(['/run/m: READY=1', '/run/m: STOPPING=1']);
  });

  it('is told nothing where there is none', () => {
    const { told, manager, clock } = managerOf({ WATCHDOG_USEC: '1000000' });
    manager.ready();
    manager.stopping();
    expect(told).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  it.each([
    ['this process', '7', 5],
    ['whoever it may be', undefined, 5],
    ['another process', '8', 0],
  ])('gets signs of life twice within its time when it watches %s', async (_name, watched, signs) => {
    const watchdog = watched === undefined ? {} : { WATCHDOG_PID: watched };
    const { told, manager, clock } = managerOf({ NOTIFY_SOCKET: '@m', WATCHDOG_USEC: '30000000', ...watchdog });
    manager.ready();
    await clock.advance(60_000);
    manager.stopping();
    await clock.advance(60_000);
    expect(told.filter(line => line === '@m: WATCHDOG=1')).toHaveLength(signs);
  });
});
