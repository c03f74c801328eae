// SPDX-License-Identifier: Apache-2.0
// Medians of the rounds, targets, and both as text.
import type { Values } from './measures.ts';
import type { Measure } from './subjects.ts';

export interface Row {
  readonly measure: Measure | 'generator';
  readonly subject: string;
  readonly figure: string;
  /** Median of the rounds. */
  readonly value: number;
  readonly rounds: readonly number[];
}

export interface Target {
  readonly what: string;
  readonly value: number;
  readonly wanted: string;
  readonly met: boolean;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low = Number.NaN, high = low] = sorted.length % 2 === 1 ? [sorted[middle]] : sorted.slice(middle - 1);
  return (low + high) / 2;
}

/** Collects the measured values, by measure, subject and figure. */
export class Results {
  readonly #rounds = new Map<string, { row: Omit<Row, 'value' | 'rounds'>; rounds: number[] }>();

  add(measure: Row['measure'], subject: string, values: Values): void {
    for (const [figure, value] of Object.entries(values)) {
      const key = [measure, subject, figure].join('\n');
      const entry = this.#rounds.get(key) ?? { row: { measure, subject, figure }, rounds: [] };
      entry.rounds.push(value);
      this.#rounds.set(key, entry);
    }
  }

  rows(): Row[] {
    return [...this.#rounds.values()].map(({ row, rounds }) => ({ ...row, value: median(rounds), rounds }));
  }
}

interface TargetDefinition {
  readonly what: string;
  /** The value is this figure, divided by the same figure of subject `to` if there is one. */
  readonly of: readonly [measure: Measure, subject: string, figure: string];
  readonly to?: string;
  /** The limit. Without `least` and `most` the value is printed only. */
  readonly least?: number;
  readonly most?: number;
  /** Multiplies the ratio; 1 unless given. */
  readonly factor?: number;
}

const coreSecond = 'packets a core-second, both ends';
const bulkTime = 'CPU time of its process a GB, ms';
const ownTime = 'CPU time of its process a packet, ns';

const definitions: readonly TargetDefinition[] = [
  {
    what: 'packets: NAT / bare forwarder',
    of: ['packets', 'Sluice NAT', 'packets a second'],
    to: 'bare forwarder',
    least: 0.9,
  },
  {
    what: 'packets a core-second: NAT / nftables DNAT',
    of: ['packets', 'Sluice NAT', coreSecond],
    to: 'nftables DNAT',
    least: 0.6,
  },
  {
    what: 'packets a core-second: NAT / kernel IPVS',
    of: ['packets', 'Sluice NAT', coreSecond],
    to: 'kernel IPVS',
  },
  {
    what: 'packets: NAT / raw-socket',
    of: ['packets', 'Sluice NAT', 'packets a second'],
    to: 'raw-socket (npm)',
    least: 8,
  },
  { what: 'bulk: NAT / nftables DNAT', of: ['bulk', 'Sluice NAT', 'Gbit/s'], to: 'nftables DNAT', least: 0.7 },
  { what: 'bulk: DR / NAT', of: ['bulk', 'Sluice DR', 'Gbit/s'], to: 'Sluice NAT', least: 1 },
  { what: 'bulk: TUN / NAT', of: ['bulk', 'Sluice TUN', 'Gbit/s'], to: 'Sluice NAT', least: 1 },
  // The director's CPU time only: the program that takes the packets out of the tunnel shares the CPUs here.
  { what: 'bulk: CPU time of the director, DR / NAT', of: ['bulk', 'Sluice DR', bulkTime], to: 'Sluice NAT', most: 1 },
  {
    what: 'bulk: CPU time of the director, TUN / NAT',
    of: ['bulk', 'Sluice TUN', bulkTime],
    to: 'Sluice NAT',
    most: 1,
  },
  {
    what: 'connections: NAT / HAProxy',
    of: ['connections', 'Sluice NAT', 'connections a second'],
    to: 'HAProxy',
    least: 2,
  },
  {
    what: 'connections: NAT / nginx',
    of: ['connections', 'Sluice NAT', 'connections a second'],
    to: 'nginx stream',
    least: 2,
  },
  { what: 'p99 of requests: NAT / HAProxy', of: ['connections', 'Sluice NAT', 'p99, ms'], to: 'HAProxy', most: 1 },
  { what: 'p99 of requests: NAT / nginx', of: ['connections', 'Sluice NAT', 'p99, ms'], to: 'nginx stream', most: 1 },
  {
    what: 'a lone request: NAT / kernel',
    of: ['latency', 'Sluice NAT', 'median, ms'],
    to: 'kernel forwarding',
    most: 2,
  },
  { what: 'idle, % of a core', of: ['idle', 'Sluice NAT', '% of a core'], most: 1 },
  { what: 'MB with a million flows', of: ['memory', 'Sluice NAT', 'resident, MB'], most: 250 },
];

/** How much a second worker adds, by the CPU time of a packet: 2 when two workers on two cores use no more than one does. */
const secondWorker: TargetDefinition = {
  what: 'two workers / one, by CPU time a packet',
  of: ['packets', 'Sluice NAT', ownTime],
  to: 'Sluice NAT, two workers',
  factor: 2,
  least: 1.7,
};

export function targets(rows: readonly Row[]): Target[] {
  const find = (measure: string, subject: string, figure: string) =>
    rows.find(row => row.measure === measure && row.subject === subject && row.figure === figure)?.value;
  return [...definitions, secondWorker].flatMap(({ what, of, to, factor = 1, least, most }) => {
    const own = find(...of);
    const other = to === undefined ? 1 : find(of[0], to, of[2]);
    if (own === undefined || other === undefined) return [];
    const value = (factor * own) / other;
    const wanted = least !== undefined ? `≥ ${least}` : most !== undefined ? `≤ ${most}` : '';
    const met = (least === undefined || value >= least) && (most === undefined || value <= most);
    return [{ what, value, wanted, met }];
  });
}

/** Three significant digits; from 1,000 on whole numbers. */
function number(value: number): string {
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(3)));
}

export function text(rows: readonly Row[], reached: readonly Target[]): string {
  const lines: string[] = [];
  const kinds = [...new Set(rows.map(({ measure, figure }) => `${measure}: ${figure}`))];
  for (const kind of kinds) {
    lines.push('', kind);
    for (const row of rows.filter(({ measure, figure }) => `${measure}: ${figure}` === kind)) {
      const spread = row.rounds.length > 1 ? `   (${row.rounds.map(number).join(' ')})` : '';
      lines.push(`  ${row.subject.padEnd(26)}${number(row.value).padStart(12)}${spread}`);
    }
  }
  lines.push('', 'targets');
  for (const { what, value, wanted, met } of reached) {
    lines.push(`  ${what.padEnd(46)}${number(value).padStart(9)}  ${wanted.padEnd(8)}${met ? '' : 'MISSED'}`.trimEnd());
  }
  return `${lines.join('\n')}\n`;
}
