// SPDX-License-Identifier: Apache-2.0
// All looks at the host, and their order on the screen.
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
  lookAtProcesses,
  lookAtDisk,
  lookAtTime,
];

export function examine(host: Host, purpose: Purpose): readonly Finding[] {
  return looks.flatMap(look => look(host, purpose));
}
