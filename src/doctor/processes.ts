// SPDX-License-Identifier: Apache-2.0
// What the processes of the running Sluice may use, and the disk.
import type { Finding, Look } from './finding.ts';
import type { Host } from './host.ts';

/** The share of a limit from which a process is about to meet it. */
const nearlyAll = 0.8;
const leastFree = 100 * 1024 * 1024;

export const lookAtProcesses: Look = (host, { processes }) => {
  const unreadable = processes.filter(({ pid }) => host.list(`/proc/${pid}/fd`).length === 0);
  if (unreadable.length > 0) {
    const found = `the open files of ${unreadable.map(({ name }) => name).join(', ')} cannot be read`;
    return [{ about: 'processes', verdict: 'unknown', found, remedy: 'ask as root' }];
  }
  const near = processes.map(process => lookAtFiles(host, process)).filter(finding => finding !== undefined);
  if (processes.length === 0 || near.length > 0) return near;
  return [{ about: 'processes', verdict: 'good', found: `${processes.length} run, none near its limit of open files` }];
};

function lookAtFiles(host: Host, { name, pid }: { name: string; pid: number }): Finding | undefined {
  const limit = Number(/^Max open files\s+(\d+)/m.exec(host.read(`/proc/${pid}/limits`) ?? '')?.[1] ?? Number.NaN);
  const open = host.list(`/proc/${pid}/fd`).length;
  if (Number.isNaN(limit) || open < limit * nearlyAll) return undefined;
  return {
    about: `process ${name}`,
    verdict: 'problem',
    found: `has ${open} of ${limit} open files`,
    remedy: 'raise LimitNOFILE= of the service: systemctl edit sluice',
  };
}

export const lookAtDisk: Look = (host, { stateFolder }) => {
  const about = 'state folder';
  const free = host.free(stateFolder);
  if (free === undefined) return [{ about, verdict: 'unknown', found: `${stateFolder} is not there yet` }];
  const found = `${stateFolder} has room for ${Math.floor(free / 1024 / 1024)} MB`;
  if (free >= leastFree) return [{ about, verdict: 'good', found }];
  const remedy = 'make room: without it changes are refused';
  return [{ about, verdict: 'problem', found, remedy }];
};
