// SPDX-License-Identifier: Apache-2.0
// The table of processes: the planes that exist, and how their processes are run. To add a plane is to add a row here and
// its section in document.ts (docs/adding-a-plane.md).
import { createDirectorPlane, prepareDirectorPlane } from '../director/plane.ts';
import { directorSection } from '../director/section.ts';
import { createHealthPlane } from '../health/plane.ts';
import { healthSection } from '../health/section.ts';
import type { PlaneRow } from './composition.ts';
import { patientHangMilliseconds, usualBackOff, usualHangMilliseconds } from './process-policy.ts';

export const planeTable: readonly PlaneRow[] = [
  {
    policy: {
      name: directorSection.key,
      standsBy: true,
      capabilities: [
        { capability: 'net_raw', reason: 'packet sockets and AF_XDP sockets' },
        {
          capability: 'net_admin',
          reason: 'programs at ingress and egress of devices, nftables, neighbours, buffers beyond the limit',
        },
        { capability: 'bpf', reason: 'makes maps and loads programs' },
        { capability: 'perfmon', reason: 'the verifier of the kernel lets the programs use the stack as they do' },
        { capability: 'ipc_lock', reason: 'the memory of AF_XDP is locked' },
      ],
      openedFiles: [
        { path: '/dev/net/tun', reason: 'gives packets to the host itself, where the host is a real server' },
      ],
      // nft(8), where packets are kept from the host's stack by nftables; given up when they are not.
      programs: 'with-capabilities',
      backOff: usualBackOff,
      // Its workers are threads that forward on while the event loop makes a large change ready.
      hangMilliseconds: patientHangMilliseconds,
    },
    // Commands add the services (`sluice ipvsadm`).
    runsByDefault: true,
    prepare: ({ threads }) => prepareDirectorPlane(threads),
    create: createDirectorPlane,
  },
  {
    policy: {
      name: healthSection.key,
      standsBy: false,
      capabilities: [
        {
          capability: 'net_raw',
          reason: 'pings where net.ipv4.ping_group_range does not allow them, and checks that travel as traffic',
        },
      ],
      // Scripts of checks.
      programs: 'plain',
      backOff: usualBackOff,
      hangMilliseconds: usualHangMilliseconds,
    },
    runsByDefault: false,
    observes: true,
    prepare: () => undefined,
    create: createHealthPlane,
  },
];
