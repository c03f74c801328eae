// SPDX-License-Identifier: Apache-2.0
// What is measured, and with which programs: native/bench/NAME_bench.cc, built optimised, and bench/micro.ts. A program
// prints one line of JSON a figure; other lines are text for people.

export interface Figure {
  readonly figure: string;
  readonly value: number;
  readonly unit: string;
}

export interface Run {
  readonly command: readonly string[];
  /** What is to be built for it: a target of CMake, or all that the package ships. */
  readonly target?: string;
  readonly needs?: 'package';
}

/** Below out/. */
export const buildFolder = 'release';

export const subjects = {
  director: {
    about: 'the whole director: a packet of known flows, new flows, expiry, many services and servers, edits',
    runs: [
      native('director_bench', 'established', 'flows=1000'),
      native('director_bench', 'established', 'flows=1000000'),
      native('director_bench', 'established', 'flows=10000000'),
      native('director_bench', 'open', 'flows=1000000'),
      native('director_bench', 'open', 'flows=1000000', 'scheduler=wlc', 'servers=1000'),
      native('director_bench', 'expire', 'flows=1000000'),
      native('director_bench', 'scale'),
      native('director_bench', 'edit'),
    ],
  },
  instructions: {
    about: 'instructions a packet, counted by callgrind and held to bench/recorded.json',
    runs: [
      native('director_bench', 'instructions', 'packets=known'),
      native('director_bench', 'instructions', 'packets=known', 'family=6'),
      native('director_bench', 'instructions', 'packets=known', 'mode=fullnat'),
      native('director_bench', 'instructions', 'packets=known', 'mode=dr'),
      native('director_bench', 'instructions', 'packets=known', 'mode=tunnel'),
      native('director_bench', 'instructions', 'packets=known', 'mode=tunnel', 'family=6'),
      native('director_bench', 'instructions', 'packets=known', 'protocol=udp'),
      native('director_bench', 'instructions', 'packets=first'),
      native('director_bench', 'instructions', 'packets=first', 'family=6'),
    ],
  },
  'flow-table': {
    about: 'lookups, insertions and timers of the flow table alone',
    runs: [
      native('flow_table_bench', '1000'),
      native('flow_table_bench', '1000000'),
      native('flow_table_bench', '10000000'),
    ],
  },
  balance: {
    about: 'flows that move when servers change, and what a choice costs, by scheduler',
    runs: [native('balance_bench')],
  },
  micro: {
    about: 'the side of TypeScript: reading configurations, snapshots, plans, frames through the library',
    runs: [{ command: ['node', '--import', 'tsx', 'bench/micro.ts'], needs: 'package' }],
  },
  'packet-ring': {
    about: 'a forwarder without logic between two interfaces (root): CPU time a packet, packets a second, ping',
    runs: [
      native('bare_forwarder_bench', 'drain'),
      native('bare_forwarder_bench', 'drain', 'transmit_slots=0'),
      native('bare_forwarder_bench', 'rate'),
      native('bare_forwarder_bench', 'latency'),
    ],
  },
  visit: {
    about: 'how long a worker with a million flows stands still for a list of connections, a plan, a route table',
    runs: [native('visit_bench', '1000000')],
  },
  rehearsal: {
    about: 'what an explanation costs a worker: the copy of its director',
    runs: [native('rehearsal_bench', '1000'), native('rehearsal_bench', '1000000')],
  },
  'port-pool': { about: 'local ports for FULLNAT and egress', runs: [native('port_pool_bench')] },
} as const satisfies Record<string, { about: string; runs: readonly Run[] }>;

export type Subject = keyof typeof subjects;

export function isSubject(name: string): name is Subject {
  return Object.hasOwn(subjects, name);
}

function native(target: string, ...args: readonly string[]): Run {
  return { command: [`out/${buildFolder}/native/${target}`, ...args], target };
}

/** A program's output: its figures, and the rest. */
export function readFigures(output: string): { figures: readonly Figure[]; text: readonly string[] } {
  const lines = output.split('\n').filter(line => line !== '');
  return {
    figures: lines.flatMap(line => parseFigure(line) ?? []),
    text: lines.filter(line => parseFigure(line) === undefined),
  };
}

function parseFigure(line: string): Figure | undefined {
  if (!line.startsWith('{')) return undefined;
  const { figure, value, unit } = JSON.parse(line) as Partial<Figure>;
  return figure === undefined || value === undefined || unit === undefined ? undefined : { figure, value, unit };
}
