// SPDX-License-Identifier: Apache-2.0
// CPU time as the scheduler counts it, in nanoseconds. Without IRQ_TIME_ACCOUNTING, as on common kernels, a thread's time holds
// what interrupts and softirqs did while it ran: the kernel's own forwarding is thus in the time of whoever sent the packet,
// or of ksoftirqd.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import type { Host } from '../../lab/topology/host.ts';

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // it has ended
  }
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/** So far, of all threads. */
export function cpuNanoseconds(pids: readonly number[]): number {
  const times = pids.flatMap(pid =>
    threadsOf(pid).map(thread => Number(readOrEmpty(`/proc/${pid}/task/${thread}/schedstat`).split(' ')[0] ?? 0)),
  );
  return times.reduce((sum, time) => sum + time, 0);
}

export function processesOf(host: Host): number[] {
  const { stdout } = spawnSync('ip', ['netns', 'pids', host.namespace], { encoding: 'utf8' });
  return stdout.split('\n').filter(Boolean).map(Number);
}

/** The kernel's threads for softirqs that were put off; none where processes of the machine cannot be seen. */
export const softirqThreads: readonly number[] = readdirSync('/proc')
  .filter(name => /^\d+$/.test(name) && readOrEmpty(`/proc/${name}/comm`).startsWith('ksoftirqd/'))
  .map(Number);

/** proc(5): clock ticks of all CPUs in which something ran, of whomever. */
export function machineBusySeconds(): number {
  const fields = readOrEmpty('/proc/stat').split('\n', 1)[0]?.trim().split(/\s+/).slice(1).map(Number) ?? [];
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = fields;
  const ticksASecond = 100;
  return (user + nice + system + irq + softirq) / ticksASecond;
}
