// SPDX-License-Identifier: Apache-2.0
// The tables that `sluice top` shows on a terminal: their columns, and their rows as values. A row is formatted only when it
// is shown.
import type { AnswerOf } from '../../core/api/route.ts';
import { formatEndpoint } from '../../core/endpoint.ts';
import type { directorConnections } from '../../director/api.ts';
import { serverKey, serviceKey } from '../../director/model.ts';
import type { Rates } from './rates.ts';
import { shortNumber } from './table.ts';

export type TableKind = 'services' | 'servers' | 'connections' | 'packets' | 'workers';

/** What a table lists: servers are those of a service, connections those of a server of a service. */
export interface Subject {
  readonly kind: TableKind;
  readonly service?: string;
  readonly server?: string;
}

export type Connection = AnswerOf<typeof directorConnections>;

/** So many connections of a server are asked for. */
export const mostConnections = 500;

/** What was measured. */
export interface Measured {
  readonly rates?: Rates;
  /** At most mostConnections of the server that is shown. */
  readonly connections?: readonly Connection[];
}

export interface Row {
  /** No other row of the table has the same. */
  readonly key: string;
  readonly name: string;
  /** What a filter finds besides the name. */
  readonly contains?: readonly string[];
  /** A value for each column. */
  readonly values: readonly (number | string)[];
}

export interface Column {
  readonly title: string;
  readonly width: number;
  format(value: number | string): string;
}

export interface Listing {
  /** The title of the names. */
  readonly title: string;
  readonly columns: readonly Column[];
  /** The column that sorts the table unless another one is chosen. */
  readonly sortedBy: number;
}

const numberWidth = 6;

const amount = (title: string): Column => ({
  title,
  width: numberWidth,
  format: value => shortNumber(Number(value)),
});
const text = (title: string, width: number): Column => ({ title, width, format: String });
const rateColumns = [amount('new/s'), amount('in p/s'), amount('out'), amount('in B/s'), amount('out')];
const share: Column = { title: 'awake', width: 7, format: value => `${(Number(value) * 100).toFixed(1)} %` };

export const listings: Readonly<Record<TableKind, Listing>> = {
  services: {
    title: 'service',
    // Down: servers that get no new connections.
    columns: [amount('conns'), amount('down'), ...rateColumns],
    sortedBy: 0,
  },
  servers: {
    title: 'server',
    columns: [amount('conns'), amount('weight'), ...rateColumns],
    sortedBy: 0,
  },
  connections: {
    title: 'client',
    columns: [text('state', 12), { ...amount('ends'), format: seconds }, text('to', 21), text('local', 21)],
    sortedBy: 1,
  },
  packets: { title: 'packets', columns: [amount('pkt/s'), amount('so far')], sortedBy: 0 },
  workers: {
    title: 'worker',
    columns: [share, amount('in p/s'), amount('out'), amount('in B/s'), amount('out')],
    sortedBy: 0,
  },
};

function seconds(value: number | string): string {
  return `${Math.ceil(Number(value))} s`;
}

/** The rows in the order of the configuration; undefined as long as it is not known, or when its service is gone. */
export function rowsOf({ kind, service, server }: Subject, { rates, connections }: Measured): Row[] | undefined {
  if (kind === 'connections') return server === undefined ? undefined : connections?.map(connectionRow);
  if (kind === 'services') return rates?.services.map(serviceRow);
  if (kind === 'servers')
    return rates?.services.find(each => serviceKey(each.identity) === service)?.servers.map(serverRow);
  if (kind === 'packets') return rates?.reasons.map(packetRow);
  return rates?.workers.map(workerRow);
}

function ratesOf({ connections, packetsIn, packetsOut, bytesIn, bytesOut }: Rates['services'][number]['rates']) {
  return [connections, packetsIn, packetsOut, bytesIn, bytesOut];
}

function serviceRow({ identity, scheduler, rates, servers }: Rates['services'][number]): Row {
  const key = serviceKey(identity);
  const all = servers.reduce((sum, { active, inactive }) => sum + active + inactive, 0);
  const down = servers.filter(({ weight, overloaded }) => weight === 0 || overloaded > 0).length;
  return {
    key,
    name: `${key} ${scheduler}`,
    contains: servers.map(serverKey),
    values: [all, down, ...ratesOf(rates)],
  };
}

function serverRow(server: Rates['services'][number]['servers'][number]): Row {
  const { mode, active, inactive, weight, rates } = server;
  const key = serverKey(server);
  return { key, name: `${key} ${mode}`, values: [active + inactive, weight, ...ratesOf(rates)] };
}

function connectionRow({ protocol, client, virtual, local, state, expires }: Connection): Row {
  const [from, to] = [client, virtual].map(({ address, port }) => formatEndpoint(address, port));
  const own = local.port === 0 ? '' : formatEndpoint(local.address, local.port);
  return { key: `${protocol} ${from} ${to}`, name: from ?? '', values: [state, expires, to ?? '', own] };
}

function packetRow({ name, verdict, packets, perSecond }: Rates['reasons'][number]): Row {
  return { key: name, name: `${verdict.padEnd(8)}${name}`, values: [perSecond, packets] };
}

function workerRow(worker: Rates['workers'][number]): Row {
  const { name, awake, received, receivedBytes, transmitted, transmittedBytes } = worker;
  return { key: name, name, values: [awake, received, transmitted, receivedBytes, transmittedBytes] };
}
