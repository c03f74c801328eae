// SPDX-License-Identifier: Apache-2.0
// How the processes of `sluice run` are run, as data. table.ts has a row for each.

/** A capability of capabilities(7), as setpriv(1) writes it. */
export type Capability = 'net_raw' | 'net_admin' | 'bpf' | 'perfmon' | 'ipc_lock';

export interface ProcessPolicy {
  /** The plane's name, or control. */
  readonly name: string;
  /** A second process stands by with its code loaded, and works at once when the first ends. */
  readonly standsBy: boolean;
  /** All that is left of root's powers. A process without any cannot do more than an ordinary user. */
  readonly capabilities: readonly { readonly capability: Capability; readonly reason: string }[];
  /** Files that root opens for it, for reading and writing. Where one cannot be opened the process gets /dev/null. */
  readonly openedFiles?: readonly { readonly path: string; readonly reason: string }[];
  /**
   * Whether it starts other programs, with its capabilities or without any and without its files. Whatever the policy, no
   * process makes system calls that no plane needs.
   */
  readonly programs: 'none' | 'with-capabilities' | 'plain';
  readonly backOff: BackOff;
  /** A process whose event loop stands still for so long is killed, and the next one takes its place. */
  readonly hangMilliseconds: number;
}

/** When a process that ended unexpectedly is started again. */
export interface BackOff {
  /** A life shorter than this is a short one. The process after a longer one is started at once. */
  readonly shortLifeMilliseconds: number;
  /** After one short life; doubled after each further one in a row. */
  readonly firstMilliseconds: number;
  readonly mostMilliseconds: number;
  /** After so many short lives in a row the crash state may be what ends them: the next process starts without it. */
  readonly shortLivesUntilForgotten: number;
}

export const usualBackOff: BackOff = {
  shortLifeMilliseconds: 1000,
  firstMilliseconds: 1000,
  mostMilliseconds: 30_000,
  shortLivesUntilForgotten: 3,
};

/** Of a plane whose work is done by its event loop. */
export const usualHangMilliseconds = 10_000;

/**
 * Of a process that may compute for long, and whose standing still stops no traffic: a document with 100,000 real servers
 * takes seconds, tens of them on a slow and busy machine.
 */
export const patientHangMilliseconds = 120_000;

/** How long to wait before the next process, after so many short lives in a row. */
export function delayAfter(shortLives: number, { firstMilliseconds, mostMilliseconds }: BackOff): number {
  return shortLives === 0 ? 0 : Math.min(firstMilliseconds * 2 ** (shortLives - 1), mostMilliseconds);
}

export const controlPolicy: ProcessPolicy = {
  name: 'control',
  standsBy: false,
  capabilities: [],
  programs: 'none',
  // What control keeps is the snapshot in force, which control itself has checked: it is never forgotten.
  backOff: { ...usualBackOff, shortLivesUntilForgotten: Number.POSITIVE_INFINITY },
  hangMilliseconds: patientHangMilliseconds,
};
