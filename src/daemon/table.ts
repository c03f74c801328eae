// SPDX-License-Identifier: Apache-2.0
// The composition root's table: the planes that exist, and how their processes are run. To add a plane is to add a row
// here and its section in document.ts (docs/adding-a-plane.md).
import type { Answering } from '../core/api/route.ts';
import type { Logger } from '../core/logger.ts';
import type { Plane } from '../core/plane.ts';
import { createDirectorPlane, prepareDirectorPlane } from '../director/plane.ts';
import type { NativeCrashState } from '../native/live-director.ts';
import { type ProcessPolicy, usualBackOff } from './process-policy.ts';

/** What a plane finds in its process. */
export interface PlaneEnvironment {
  readonly logger: Logger;
  readonly crashState: NativeCrashState;
  readonly crashFolder: string;
}

/** A plane at work in its process. */
export interface RunningPlane {
  readonly plane: Plane;
  /** Its routes on the admin socket. */
  readonly answers: readonly Answering[];
  /** Lets go of everything in good order. */
  close(): void | Promise<void>;
}

export interface PlaneRow {
  readonly policy: ProcessPolicy;
  /** Is done while the process stands by. */
  prepare(): void;
  create(environment: PlaneEnvironment): RunningPlane;
}

export const controlPolicy: ProcessPolicy = {
  name: 'control',
  standsBy: false,
  capabilities: [],
  backOff: usualBackOff,
};

export const planeTable: readonly PlaneRow[] = [
  {
    policy: {
      name: 'director',
      standsBy: true,
      capabilities: [
        { capability: 'net_raw', reason: 'packet sockets and AF_XDP sockets' },
        { capability: 'net_admin', reason: 'programs at the ingress of devices, promiscuous mode, nftables' },
        { capability: 'bpf', reason: 'loads programs and writes their maps' },
        { capability: 'perfmon', reason: 'the verifier of the kernel follows pointers in the programs' },
        { capability: 'ipc_lock', reason: 'rings and the memory of AF_XDP are locked' },
      ],
      backOff: usualBackOff,
    },
    prepare: prepareDirectorPlane,
    create: createDirectorPlane,
  },
];
