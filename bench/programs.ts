// SPDX-License-Identifier: Apache-2.0
// The subjects of `npm run bench`, and the programs that measure them: native/bench/NAME_bench.cc, built optimised, and
// bench/micro.ts. A program prints each figure as a line of JSON; other lines are text for people.

export interface Figure {
  readonly figure: string;
  readonly value: number;
  readonly unit: string;
}

export interface Run {
  readonly command: readonly string[];
  /** What must be built before: a target of CMake, or the whole package. */
  readonly target?: string;
  readonly needs?: 'package';
}

/** Below out/. */
export const buildFolder = 'release';

export const subjects = {
  director: {
    about: 'the whole director: packets of known flows, new flows, expiry, many services and servers, edits',
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
    about: 'instructions a packet, counted by callgrind and compared with bench/recorded.json',
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
    about: 'by scheduler: flows that move when servers change, and the cost of a choice',
    runs: [native('balance_bench')],
  },
  micro: {
    about: 'the TypeScript code: reading configurations, snapshots, plans, frames through the library',
    runs: [{ command: ['node', '--import', 'tsx', 'bench/micro.ts'], needs: 'package' }],
  },
  commands: {
    about: 'wall time of ipvsadm commands on a running Sluice (root)',
    runs: [{ command: ['node', '--import', 'tsx', 'bench/commands.ts'], needs: 'package' }],
  },
  health: {
    about: 'CPU time of health checks: 5,000 targets by TCP and by HTTP, once a second each; beside it Node',
    runs: [{ command: ['node', '--import', 'tsx', 'bench/health.ts'], needs: 'package' }],
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
    about: 'how long a list of connections, a plan or a route table stops a worker with a million flows',
    runs: [native('visit_bench', '1000000')],
  },
  rehearsal: {
    about: 'the cost of an explanation for a worker: the copy of its director',
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

/** Splits a program's output into figures and other text. */
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
