// SPDX-License-Identifier: Apache-2.0
// Prints what `ipvsadm -L` prints, column by column: services with their servers, connections, and timeouts. Addresses and
// ports have names where the caller gives them.
import {
  hostMask,
  type Mode,
  type Protocol,
  prefixOfMask,
  type RealServer,
  type Service,
  serviceFamily,
} from '../model.ts';
import { printedFlags } from '../schedulers.ts';
import type { ListFormat } from './grammar.ts';
import { addressesFirst, sortServers, sortServices } from './order.ts';
import type { Names } from './values.ts';

/** Since the beginning, or since `-Z`. */
export interface Counters<N extends number | bigint = number | bigint> {
  readonly connections: N;
  readonly packetsIn: N;
  readonly packetsOut: N;
  readonly bytesIn: N;
  readonly bytesOut: N;
}

/** A second: connections, packets and bytes of Counters as rates. */
export type Rates<N extends number | bigint = number | bigint> = Counters<N>;

export interface ServerView<N extends number | bigint = number | bigint> extends RealServer {
  readonly active: number;
  readonly inactive: number;
  readonly persistent: number;
  readonly counters: Counters<N>;
  readonly rates: Rates<N>;
}

export interface ServiceView<N extends number | bigint = number | bigint>
  extends Pick<Service, 'identity' | 'scheduler' | 'flags' | 'persistence' | 'persistenceEngine' | 'onePacket'> {
  readonly counters: Counters<N>;
  readonly rates: Rates<N>;
  /** In the order of their arrival. */
  readonly servers: readonly ServerView<N>[];
}

export interface ListOptions {
  readonly format?: ListFormat;
  /** Prints every digit of large numbers. */
  readonly exact?: boolean;
  /** When false, prints servers in the order in which the kernel walks its list: the latest first. */
  readonly sorted?: boolean;
  /** Without names, addresses and ports are numbers. */
  readonly names?: Names | undefined;
  /** When true, one service was asked for, and the line about the version is left out. */
  readonly single?: boolean;
}

/** The version of IPVS whose output this is, and the usual size of its table. */
const banner = 'IP Virtual Server version 1.2.1 (size=4096)';

const noCounters: Counters = { connections: 0, packetsIn: 0, packetsOut: 0, bytesIn: 0, bytesOut: 0 };

/** A service of a model with counts of zero, as before the first packet. */
export function idleView(service: Service): ServiceView {
  const idle = { active: 0, inactive: 0, persistent: 0, counters: noCounters, rates: noCounters };
  return {
    ...service,
    counters: noCounters,
    rates: noCounters,
    servers: service.servers.map(server => ({ ...server, ...idle })),
  };
}

export function formatServices(services: readonly ServiceView[], options: ListOptions = {}): string {
  const { format = 'services', exact = false, sorted = true, single = false, names } = options;
  const lines = single ? [] : [banner];
  lines.push(...titles[format]);
  for (const service of sorted ? sortServices(services) : addressesFirst(services)) {
    const nameOf = endpointNames(names, protocolOf(service));
    lines.push(formatService(service, format, exact, nameOf));
    for (const server of sorted ? sortServers(service.servers) : service.servers.toReversed()) {
      lines.push(`  -> ${formatServer(server, format, exact, nameOf)}`);
    }
  }
  return lines.map(line => `${line}\n`).join('');
}

/** The first column of a service and of a server. */
const [serviceWidth, serverWidth] = [33, 28];

const numberTitle = (...names: string[]) => [
  'Prot LocalAddress:Port'.padEnd(serviceWidth) + names.map(name => ` ${name.padStart(8)}`).join(''),
  '  -> RemoteAddress:Port',
];

const titles: Readonly<Record<ListFormat, readonly string[]>> = {
  services: [
    'Prot LocalAddress:Port Scheduler Flags',
    '  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn',
  ],
  stats: numberTitle('Conns', 'InPkts', 'OutPkts', 'InBytes', 'OutBytes'),
  rate: numberTitle('CPS', 'InPPS', 'OutPPS', 'InBPS', 'OutBPS'),
  thresholds: [
    'Prot LocalAddress:Port            Uthreshold Lthreshold ActiveConn InActConn ',
    '  -> RemoteAddress:Port',
  ],
  'persistent-conn': [
    'Prot LocalAddress:Port            Weight    PersistConn ActiveConn InActConn ',
    '  -> RemoteAddress:Port',
  ],
  'tun-info': [
    'Prot LocalAddress:Port Scheduler Flags',
    '  -> RemoteAddress:Port           Forward TunnelInfo    Weight ActiveConn InActConn',
  ],
};

function formatService(service: ServiceView, format: ListFormat, exact: boolean, nameOf: NameOf): string {
  const name = serviceName(service, nameOf);
  if (format === 'stats') return name.padEnd(serviceWidth) + countColumns(service.counters, exact);
  if (format === 'rate') return name.padEnd(serviceWidth) + countColumns(service.rates, exact);
  const { identity, scheduler, flags, persistence, persistenceEngine, onePacket } = service;
  let line = `${name} ${scheduler}`;
  if (flags.length > 0) line += ` (${printedFlags(scheduler, flags)})`;
  if (persistence !== null) {
    line += ` persistent ${persistence.timeout}`;
    const family = serviceFamily(identity);
    if (persistence.netmask !== hostMask(family)) {
      line += ` mask ${family === 4 ? persistence.netmask : prefixOfMask(persistence.netmask)}`;
    }
    if (persistenceEngine !== undefined) line += ` pe ${persistenceEngine}`;
  }
  return onePacket ? `${line} ops` : line;
}

type NameOf = (address: string, port: number) => string;

/** ipvsadm has room for so many characters of an endpoint. */
const longestEndpoint = 59;

/** Endpoints as they are printed, with the names of hosts and ports that there are. A port without protocol has no name. */
export function endpointNames(names: Names | undefined, protocol: Protocol | undefined): NameOf {
  return (address, port) => {
    const host = names?.host(address) ?? address;
    const service = protocol === undefined ? undefined : names?.port(port, protocol);
    return `${address.includes(':') ? `[${host}]` : host}:${service ?? port}`.slice(0, longestEndpoint);
  };
}

/** A name of IPv4 that does not fit in its column is cut; one of IPv6 pushes the other columns. */
function inColumn(name: string, width: number, address: string): string {
  return address.includes(':') ? name : name.slice(0, width);
}

/** A firewall mark has no protocol. */
export function protocolOf({ identity }: Pick<Service, 'identity'>): Protocol | undefined {
  return 'mark' in identity ? undefined : identity.protocol;
}

/** ipvsadm prints a mark as a signed number. */
export function signedMark(mark: number): number {
  return mark | 0;
}

function serviceName({ identity }: ServiceView, nameOf: NameOf): string {
  if ('mark' in identity) return `FWM  ${signedMark(identity.mark)}${identity.family === 6 ? ' IPv6' : ''}`;
  const { protocol, address, port } = identity;
  return inColumn(`${protocol.toUpperCase().padEnd(4)} ${nameOf(address, port)}`, serviceWidth, address);
}

// ipvsadm does not know FULLNAT. Forks of ipvsadm that know it use this name.
const forwardNames: Readonly<Record<Mode, string>> = { nat: 'Masq', fullnat: 'FullNat', dr: 'Route', tunnel: 'Tunnel' };

function formatServer(server: ServerView, format: ListFormat, exact: boolean, nameOf: NameOf): string {
  const name = inColumn(nameOf(server.address, server.port), serverWidth, server.address).padEnd(serverWidth);
  const connections = `${column(server.active, 10)} ${column(server.inactive, 10)}`;
  const forward = forwardNames[server.mode].padEnd(7);
  switch (format) {
    case 'services':
      return `${name} ${forward} ${column(server.weight, 6)} ${connections}`;
    case 'tun-info':
      return `${name} ${forward} ${tunnelInfo(server).padEnd(13)} ${column(server.weight, 6)} ${connections}`;
    case 'stats':
      return name + countColumns(server.counters, exact);
    case 'rate': {
      const { connections: perSecond, packetsIn, packetsOut, bytesIn, bytesOut } = server.rates;
      const plain = [perSecond, packetsIn, packetsOut].map(value => ` ${String(value).padStart(8)}`).join('');
      return name + plain + formatCount(bytesIn, exact) + formatCount(bytesOut, exact);
    }
    case 'thresholds':
      return `${name} ${column(server.upperThreshold, 10)} ${column(server.lowerThreshold, 10)} ${connections}`;
    case 'persistent-conn':
      return `${name} ${column(server.weight, 9)} ${column(server.persistent, 11)} ${connections}`;
  }
}

function column(value: number, width: number): string {
  return String(value).padEnd(width);
}

const checksumMarks = { none: '-c', full: '+c', remote: 'r+c' } as const;

function tunnelInfo({ tunnel }: ServerView): string {
  if (tunnel === null) return 'n/a';
  if (tunnel.type === 'ipip') return 'ipip';
  const mark = checksumMarks[tunnel.checksum];
  return tunnel.type === 'gue' ? `gue:${tunnel.port}:${mark}` : `gre:${mark}`;
}

function countColumns(counters: Counters, exact: boolean): string {
  const { connections, packetsIn, packetsOut, bytesIn, bytesOut } = counters;
  return [connections, packetsIn, packetsOut, bytesIn, bytesOut].map(value => formatCount(value, exact)).join('');
}

// The first row whose limit `below` is not reached gives the divisor of a number and the letter behind the quotient.
const scales = [
  { below: 10n ** 8n, divisor: 1n, letter: '' },
  { below: 10n ** 9n, divisor: 10n ** 3n, letter: 'K' },
  { below: 10n ** 11n, divisor: 10n ** 6n, letter: 'M' },
  { below: 10n ** 14n, divisor: 10n ** 9n, letter: 'G' },
] as const;

/** The number in a column of nine characters. With `exact` the column is wider for numbers of nine digits or more. */
export function formatCount(value: number | bigint, exact: boolean): string {
  const whole = BigInt(value);
  if (exact) return ` ${String(whole).padStart(8)}`;
  const { divisor, letter } = scales.find(({ below }) => whole < below) ?? { divisor: 10n ** 12n, letter: 'T' };
  return `${whole / divisor}${letter}`.padStart(9);
}

export interface ConnectionRow {
  /** The name in the kernel's /proc/net/ip_vs_conn: TCP, UDP, SCTP, IP. */
  readonly protocol: string;
  /** Seconds until the timeout of the flow. */
  readonly expires: number;
  readonly state: string;
  readonly client: { readonly address: string; readonly port: number };
  readonly virtual: { readonly address: string; readonly port: number };
  readonly server: { readonly address: string; readonly port: number };
}

export interface ConnectionOptions {
  readonly names?: Names | undefined;
  /** With --persistent-conn the heading has two more columns; a row without persistence engine leaves them out. */
  readonly withEngine?: boolean;
}

const engineColumns = '        pe name          pe_data';

/** Prints connections as `ipvsadm -L -c` does. */
export function formatConnections(rows: readonly ConnectionRow[], options: ConnectionOptions = {}): string {
  const { names, withEngine = false } = options;
  const lines = rows.map(row => {
    const { client, virtual, server } = row;
    const nameOf = endpointNames(names, protocolNamed(row.protocol));
    return connectionLine(
      row.protocol.padEnd(3),
      formatExpiry(row.expires),
      row.state,
      nameOf(client.address, client.port),
      nameOf(virtual.address, virtual.port),
      nameOf(server.address, server.port),
    );
  });
  const title = connectionLine('pro', 'expire', 'state', 'source', 'virtual', 'destination');
  const heading = withEngine ? title + engineColumns : title;
  return ['IPVS connection entries', heading, ...lines].map(line => `${line}\n`).join('');
}

function protocolNamed(name: string): Protocol {
  return name === 'UDP' ? 'udp' : name === 'SCTP' ? 'sctp' : 'tcp';
}

function connectionLine(
  protocol: string,
  expiry: string,
  state: string,
  source: string,
  virtual: string,
  destination: string,
): string {
  return `${protocol} ${expiry.padEnd(6)} ${state.padEnd(11)} ${source.padEnd(18)} ${virtual.padEnd(18)} ${destination}`;
}

function formatExpiry(seconds: number): string {
  const whole = Math.floor(seconds);
  const two = (value: number) => String(value).padStart(2, '0');
  return `${two(Math.floor(whole / 60))}:${two(whole % 60)}`;
}

/** Prints timeouts as `ipvsadm -L --timeout` does. */
export function formatTimeouts(tcp: number, tcpFin: number, udp: number): string {
  return `Timeout (tcp tcpfin udp): ${tcp} ${tcpFin} ${udp}\n`;
}
