// SPDX-License-Identifier: Apache-2.0
// The names of the schedulers and of their flags. scheduler_names() in the native module has the same names.

export interface SchedulerInfo {
  readonly name: string;
  readonly summary: string;
  /** The names that this scheduler gives to its flag bits 1 and 2. */
  readonly flags?: readonly [string, string];
}

export const schedulers: readonly SchedulerInfo[] = [
  { name: 'rr', summary: 'round robin' },
  { name: 'wrr', summary: 'weighted round robin' },
  { name: 'lc', summary: 'least connections' },
  { name: 'wlc', summary: 'weighted least connections' },
  { name: 'sed', summary: 'shortest expected delay' },
  { name: 'nq', summary: 'never queue: an idle server first, then as sed' },
  { name: 'sh', summary: 'source hashing', flags: ['sh-fallback', 'sh-port'] },
  { name: 'dh', summary: 'destination hashing' },
  { name: 'mh', summary: 'Maglev hashing', flags: ['mh-fallback', 'mh-port'] },
  { name: 'lblc', summary: 'locality-based least connections' },
  { name: 'lblcr', summary: 'locality-based least connections with replication' },
  { name: 'fo', summary: 'failover: the highest weight that is available' },
  { name: 'ovf', summary: 'overflow: the highest weight whose connections are below its weight' },
  { name: 'none', summary: 'nobody: existing and persistent connections go on, new ones get no server' },
  { name: 'twos', summary: 'the better of two weighted random choices' },
  { name: 'random', summary: 'weighted random' },
  { name: 'ring', summary: 'consistent hashing on a ring with bounded load' },
  { name: 'rendezvous', summary: 'rendezvous hashing (highest random weight)' },
];

export const schedulerNames: readonly string[] = schedulers.map(({ name }) => name);

/** The scheduler of a service that names none, for ipvsadm and in a document. */
export const defaultScheduler = 'wlc';

const flagsOf = (scheduler: string) => schedulers.find(({ name }) => name === scheduler)?.flags;

/** The names of a scheduler's flags, in the order of their bits. */
export function flagNames(scheduler: string): readonly string[] {
  const own = flagsOf(scheduler);
  return own === undefined ? ['flag-1', 'flag-2', 'flag-3'] : [...own, 'flag-3'];
}

/** The names that ipvsadm prints: it knows no third flag of a scheduler that has names of its own. */
export function printedFlags(scheduler: string, flags: readonly string[]): string {
  return flags.filter(flag => flag !== 'flag-3' || flagsOf(scheduler) === undefined).join(',');
}

export interface FlagInfo {
  readonly bit: number;
  readonly scheduler?: string;
}

/** Every name of a flag with its bit. A name that belongs to one scheduler has the name of that scheduler too. */
export const allFlags: ReadonlyMap<string, FlagInfo> = new Map<string, FlagInfo>([
  ['flag-1', { bit: 1 }],
  ['flag-2', { bit: 2 }],
  ['flag-3', { bit: 4 }],
  ...schedulers.flatMap(({ name, flags }) =>
    (flags ?? []).map((flag, index): [string, FlagInfo] => [flag, { bit: 1 << index, scheduler: name }]),
  ),
]);

/** The names of the flags in `bits`, always in the same order. */
export function flagsFromBits(scheduler: string, bits: number): string[] {
  return flagNames(scheduler).filter((_, index) => (bits & (1 << index)) !== 0);
}

export function bitsFromFlags(flags: readonly string[]): number {
  return flags.reduce((bits, flag) => bits | (allFlags.get(flag)?.bit ?? 0), 0);
}
