// SPDX-License-Identifier: Apache-2.0
// CPU time as the scheduler counts it, in nanoseconds. Common kernels have no IRQ_TIME_ACCOUNTING. So the time of a thread
// includes the interrupts and softirqs that ran meanwhile: the kernel's forwarding counts as time of the sender of the
// packet, or of ksoftirqd.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import type { Host } from '../../lab/topology/host.ts';

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // the process has ended
  }
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/** The CPU time that all threads of these processes have used so far. */
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

/** The kernel's threads for deferred softirqs. None if this process cannot see those of the machine. */
export const softirqThreads: readonly number[] = readdirSync('/proc')
  .filter(name => /^\d+$/.test(name) && readOrEmpty(`/proc/${name}/comm`).startsWith('ksoftirqd/'))
  .map(Number);

/** The time in which the CPUs of the machine ran any process (proc(5), /proc/stat). */
export function machineBusySeconds(): number {
  const fields = readOrEmpty('/proc/stat').split('\n', 1)[0]?.trim().split(/\s+/).slice(1).map(Number) ?? [];
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = fields;
  const ticksASecond = 100;
  return (user + nice + system + irq + softirq) / ticksASecond;
}
