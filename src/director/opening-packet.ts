// SPDX-License-Identifier: Apache-2.0
// A packet that would open a connection of a service, in words: what the director is asked about when a person asks about
// the service.

import { addressOf, bitsOf, type Family, parseAddress } from '../core/address.ts';
import { formatEndpoint } from '../core/endpoint.ts';
import { UsageError } from '../core/errors.ts';
import {
  type DirectorModel,
  type FirewallMark,
  familyOf,
  type Protocol,
  type Service,
  type ServiceIdentity,
  serviceFamily,
} from './model.ts';

export interface OpeningPacket {
  /** As in packet-language.ts. */
  readonly words: string;
  readonly mark: number;
  readonly client: string;
  /** The port on which it has to come; undefined: any. */
  readonly port: string | undefined;
}

/** Addresses for documentation (RFC 5737, RFC 3849): a client that nobody is, and a host that nobody is. */
const anyClient: Readonly<Record<Family, string>> = { 4: '198.51.100.1', 6: '2001:db8:ffff::1' };
const anyHost: Readonly<Record<Family, string>> = { 4: '203.0.113.1', 6: '2001:db8:fffe::1' };
const clientPort = 1024;
const anyPort = 80;
const portCount = 65536;

/** Throws a UsageError for a client that cannot be one of the service. */
export function openingPacket(model: DirectorModel, { identity }: Service, client?: string): OpeningPacket {
  const { marks, services } = model;
  const family = serviceFamily(identity);
  if (!('mark' in identity)) {
    const { protocol, address, port } = identity;
    const source = clientOf(client, family) ?? anyClient[family];
    return {
      words: wordsOf(protocol, source, address, port || ownPort(identity, services)),
      mark: 0,
      client: source,
      port: undefined,
    };
  }
  const { mark } = identity;
  const rule = marks.find(one => one.mark === mark && fits(one, family));
  const source = clientOf(client, family) ?? hostIn(rule?.source) ?? anyClient[family];
  const destination = hostIn(rule?.destination) ?? anyHost[family];
  const words = wordsOf(rule?.protocol ?? 'tcp', source, destination, rule?.ports?.[0] ?? anyPort);
  // A rule gives the mark, as to live packets. Without one the packet comes with it.
  return { words, mark: rule === undefined ? mark : 0, client: source, port: rule?.port ?? undefined };
}

/** A port of a service on all ports, which no other service of its address has. */
function ownPort(
  { protocol, address }: Exclude<ServiceIdentity, { mark: number }>,
  services: readonly Service[],
): number {
  const taken = new Set(
    services.flatMap(({ identity }) =>
      'mark' in identity || identity.protocol !== protocol || identity.address !== address ? [] : [identity.port],
    ),
  );
  for (let port = anyPort; port < portCount; port++) if (!taken.has(port)) return port;
  return anyPort;
}

function fits({ source, destination }: FirewallMark, family: Family): boolean {
  return [source, destination].every(network => network === null || familyOf(network) === family);
}

function clientOf(text: string | undefined, family: Family): string | undefined {
  if (text === undefined) return undefined;
  const address = parseAddress(text);
  if (address !== undefined && familyOf(address.text) === family) return address.text;
  const remedy = `use an IPv${family} address`;
  throw new UsageError('not an address that a client of the service can have', { value: text, remedy });
}

/** The first host of a network: 10.0.0.1 of 10.0.0.0/8. */
function hostIn(network: string | null | undefined): string | undefined {
  const [text = '', prefix = ''] = (network ?? '').split('/');
  const address = parseAddress(text);
  if (address === undefined || Number(prefix) === bitsOf(address.family)) return address?.text;
  const { family, words } = address;
  return addressOf(family, words.with(-1, (words.at(-1) ?? 0) | 1)).text;
}

function wordsOf(protocol: Protocol, source: string, destination: string, port: number): string {
  const ends = `${protocol} ${formatEndpoint(source, clientPort)} ${formatEndpoint(destination, port)}`;
  return { tcp: `${ends} S`, udp: ends, sctp: `${ends} INIT` }[protocol];
}
