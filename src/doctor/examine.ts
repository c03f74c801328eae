// SPDX-License-Identifier: Apache-2.0
// All looks at the host, and their order on the screen.
import { lookAtArp } from './arp.ts';
import { lookAtDevices } from './devices.ts';
import type { Finding, Look, Purpose } from './finding.ts';
import type { Host } from './host.ts';
import { lookAtConntrack, lookAtCpus, lookAtIpvs, lookAtKernel, lookAtTime } from './kernel.ts';
import { lookAtDisk, lookAtProcesses } from './processes.ts';
import { lookAtTunnels } from './tunnels.ts';

const looks: readonly Look[] = [
  lookAtKernel,
  lookAtIpvs,
  lookAtConntrack,
  lookAtCpus,
  lookAtDevices,
  lookAtTunnels,
  lookAtArp,
  lookAtProcesses,
  lookAtDisk,
  lookAtTime,
];

export function examine(host: Host, purpose: Purpose): readonly Finding[] {
  if (host.run('ip', ['-json', 'link', 'show']) === undefined) {
    const found = 'devices and routes are not looked at: ip(8) is missing, or has no -json';
    const unknown = { about: 'devices', verdict: 'unknown', found, remedy: 'install iproute2' } as const;
    return [...looks.flatMap(look => look(host, { ...purpose, devices: [], tunnels: [], direct: [] })), unknown];
  }
  return looks.flatMap(look => look(host, purpose));
}
