// SPDX-License-Identifier: Apache-2.0
// The benchmarks' programs (native/bench/NAME_bench.cc), what each is run with, and what the issue of its figures is held to.

export interface Figure {
  readonly figure: string;
  readonly value: number;
  readonly unit: string;
}

export interface Run {
  readonly program: string;
  readonly args: readonly string[];
}

export const subjects = {
  director: {
    about: 'the whole director: a packet of known flows, new flows, expiry, many services and servers, edits',
    runs: [
      run('director_bench', 'established', 'flows=1000'),
      run('director_bench', 'established', 'flows=1000000'),
      run('director_bench', 'established', 'flows=10000000'),
      run('director_bench', 'open', 'flows=1000000'),
      run('director_bench', 'expire', 'flows=1000000'),
      run('director_bench', 'scale'),
      run('director_bench', 'edit'),
    ],
  },
  'flow-table': {
    about: 'lookups, insertions and timers of the flow table alone',
    runs: [run('flow_table_bench', '1000'), run('flow_table_bench', '1000000'), run('flow_table_bench', '10000000')],
  },
  balance: {
    about: 'flows that move when servers change, and what a choice costs, by scheduler',
    runs: [run('balance_bench')],
  },
  'packet-ring': {
    about: 'a forwarder without logic between two interfaces (root): CPU time a packet, packets a second, ping',
    runs: [
      run('bare_forwarder_bench', 'drain'),
      run('bare_forwarder_bench', 'drain', 'transmit_slots=0'),
      run('bare_forwarder_bench', 'rate'),
      run('bare_forwarder_bench', 'latency'),
    ],
  },
  'port-pool': { about: 'local ports for FULLNAT and egress', runs: [run('port_pool_bench')] },
} as const satisfies Record<string, { about: string; runs: readonly Run[] }>;

export type Subject = keyof typeof subjects;

export function isSubject(name: string): name is Subject {
  return Object.hasOwn(subjects, name);
}

function run(program: string, ...args: readonly string[]): Run {
  return { program, args };
}

/** A line of a program's output as a figure; undefined for a line of text. */
export function parseFigure(line: string): Figure | undefined {
  if (!line.startsWith('{')) return undefined;
  const { figure, value, unit } = JSON.parse(line) as Partial<Figure>;
  return figure === undefined || value === undefined || unit === undefined ? undefined : { figure, value, unit };
}
