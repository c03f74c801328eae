// SPDX-License-Identifier: Apache-2.0
// What a process gives up (native/host/seccomp.h), and what its service manager is told.
import type { NativeFailure } from './live-director.ts';

export interface Confinement {
  /** Starting programs: a director that steals by nftables runs nft(8). */
  readonly allowExec: boolean;
  /** bpf(2): a director opens interfaces and fills maps as long as it runs. */
  readonly allowBpf: boolean;
}

export interface ConfineAddon {
  /**
   * From now on, for all threads and for whatever this process starts, system calls that no plane needs fail with EPERM,
   * and no program that is executed brings privileges with it. It cannot be taken back, and may be called again for less.
   */
  confine(confinement: Confinement): NativeFailure | undefined;

  /** Programs that this process starts have no file that it has open now, unless it hands the file down. */
  keepFilesFromPrograms(): void;

  /** Programs that this thread starts have none of this process's capabilities, unless it runs as root. */
  keepCapabilitiesFromPrograms(): void;

  /** Sends `state` to the socket of a service manager (sd_notify(3)). Returns whether it could be sent at once. */
  tellServiceManager(socket: string, state: string): boolean;

  /** Writes to the descriptor, and reads from it, fail with EAGAIN where they would wait. */
  stopBlocking(descriptor: number): void;
}
