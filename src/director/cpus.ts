// SPDX-License-Identifier: Apache-2.0
// The CPUs that the workers are pinned to: those that this process may use (taskset, cpusets, systemd's CPUAffinity).
import { readFileSync } from 'node:fs';
import { UsageError } from '../core/errors.ts';

/** A CPU for each worker; a single worker goes where the scheduler of the kernel puts it. */
export function cpusFor(workers: number | 'auto', allowed = allowedCpus()): number[] {
  const most = allowed.length;
  const count = workers === 'auto' ? most : workers;
  if (!Number.isInteger(count) || count < 1 || count > most) {
    throw new UsageError('not a number of workers', {
      value: workers,
      remedy: `use 1 to ${most}, the CPUs that this process may use`,
    });
  }
  return count === 1 ? [-1] : allowed.slice(0, count);
}

/** From proc_pid_status(5), such as `Cpus_allowed_list: 0-3,8`. */
export function allowedCpus(status = readFileSync('/proc/self/status', 'utf8')): number[] {
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1] ?? '';
  return list.split(',').flatMap(range => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}
