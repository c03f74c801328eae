// SPDX-License-Identifier: Apache-2.0
// A table of rates in 80 columns.
import type { Counters } from '../../director/ipvsadm/listing.ts';
import { serverKey, serviceKey } from '../../director/model.ts';
import type { Rates, ReasonRate, WorkerRates } from './rates.ts';

// A name of 38 columns and six numbers, each with a space before it, are 80 columns.
const nameWidth = 38;
const numberWidth = 6;

const titles = ['conns', 'new/s', 'in p/s', 'out', 'in B/s', 'out'] as const;

/** The lines of the table, without line ends. */
export function tableLines({ workers, services, reasons }: Rates): string[] {
  return [
    ...workers.map(workerLine),
    '',
    row('service', titles),
    ...services.flatMap(serviceLines),
    '',
    ...reasonLines(reasons),
  ];
}

/** Three digits and a unit: 0, 7.5, 420, 1.23k, 45.6M. */
export function shortNumber(value: number): string {
  const units = ['', 'k', 'M', 'G', 'T'];
  let scaled = value;
  let unit = 0;
  // 999.5 and more would be rounded to 1000, which takes the next unit.
  while (scaled >= 999.5 && unit < units.length - 1) {
    scaled /= 1000;
    unit += 1;
  }
  // Rounded before the digits are counted, since 9.999 becomes 10.0.
  scaled = Number(scaled.toPrecision(3));
  if (unit === 0) return Number.isInteger(scaled) ? String(scaled) : scaled.toFixed(scaled < 100 ? 1 : 0);
  const digits = scaled >= 100 ? 0 : scaled >= 10 ? 1 : 2;
  return `${scaled.toFixed(digits)}${units[unit]}`;
}

function row(name: string, cells: readonly string[]): string {
  const cut = name.length > nameWidth ? `${name.slice(0, nameWidth - 1)}…` : name;
  return `${cut.padEnd(nameWidth)}${cells.map(cell => ` ${cell.padStart(numberWidth)}`).join('')}`.trimEnd();
}

function workerLine({ name, awake, received, receivedBytes, transmitted, transmittedBytes }: WorkerRates): string {
  const load = `${(awake * 100).toFixed(1)} %`.padStart(7);
  const flow = (packets: number, bytes: number): string =>
    `${shortNumber(packets).padStart(5)} pkt/s ${shortNumber(bytes).padStart(5)} B/s`;
  return `${name.padEnd(10)} awake ${load}   in ${flow(received, receivedBytes)}   out ${flow(transmitted, transmittedBytes)}`;
}

function numbers(connections: number, rates: Counters): string[] {
  return [
    shortNumber(connections),
    ...[rates.connections, rates.packetsIn, rates.packetsOut, rates.bytesIn, rates.bytesOut].map(rate =>
      shortNumber(Number(rate)),
    ),
  ];
}

function serviceLines({ identity, scheduler, rates, servers }: Rates['services'][number]): string[] {
  const all = servers.reduce((sum, { active, inactive }) => sum + active + inactive, 0);
  return [
    row(`${serviceKey(identity)} ${scheduler}`, numbers(all, rates)),
    ...servers.map(server => {
      return row(`  -> ${serverKey(server)} ${server.mode}`, numbers(server.active + server.inactive, server.rates));
    }),
  ];
}

/** The order of the rows: dropped packets first. */
const verdictOrder = ['drop', 'consume', 'pass', 'deliver', 'forward'];

function reasonLines(reasons: readonly ReasonRate[]): string[] {
  const place = ({ verdict }: ReasonRate): number => verdictOrder.indexOf(verdict);
  const sorted = reasons.toSorted((a, b) => place(a) - place(b) || b.perSecond - a.perSecond || b.packets - a.packets);
  return [
    row('packets', ['so far', 'pkt/s']),
    ...sorted.map(reason => {
      return row(`${reason.verdict.padEnd(8)}${reason.name}`, [
        shortNumber(reason.packets),
        shortNumber(reason.perSecond),
      ]);
    }),
  ];
}
