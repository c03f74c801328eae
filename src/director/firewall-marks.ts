// SPDX-License-Identifier: Apache-2.0
// The rules of firewall marks in a sluice.yaml or a net.yaml. A packet socket receives a frame before the host's
// firewall can mark it, so the director has rules of its own (native/director/network/firewall_marks.h). The first rule
// that fits a packet gives the packet its mark.
import Type from 'typebox';
import { bitsOf, type Network, networkOf, parseAddress, parseNetwork } from '../core/address.ts';
import type { Path } from '../core/config/node.ts';
import type { DocumentReader } from '../core/config/reader.ts';
import { suggest } from '../core/config/suggest.ts';
import type { FirewallMark } from './model.ts';

const largestPort = 65535;

export const marksSchema = Type.Array(
  Type.Object(
    {
      mark: Type.Integer({
        minimum: 1,
        maximum: 0xffff_ffff,
        description: 'The firewall mark of packets that fit all of the rest.',
        examples: [5],
      }),
      port: Type.Optional(
        Type.String({ description: 'Where they come in.', form: 'the name of a port', examples: ['c0'] }),
      ),
      source: Type.Optional(
        Type.String({ description: 'Their source.', form: 'an address or a network', examples: ['10.0.1.0/24'] }),
      ),
      destination: Type.Optional(
        Type.String({
          description: 'Their destination.',
          form: 'an address or a network',
          examples: ['10.0.1.100'],
        }),
      ),
      protocol: Type.Optional(Type.Enum(['tcp', 'udp', 'sctp'], { description: 'Their protocol.' })),
      ports: Type.Optional(
        Type.Union(
          [
            Type.Integer({ minimum: 0, maximum: largestPort }),
            Type.String({ pattern: '^[0-9]{1,5}-[0-9]{1,5}$', form: 'a range of ports' }),
          ],
          {
            description: 'Their destination port. Later fragments have none, and fit no rule that asks for one.',
            examples: [80, '8000-8100'],
          },
        ),
      ),
    },
    { additionalProperties: false },
  ),
  {
    description:
      "Firewall marks, as a host's firewall would give them: the first rule that fits a packet gives its mark. Live traffic is held against 64 rules at most.",
  },
);

/** A rule as a document writes it. */
export interface MarkDocument {
  readonly mark: number;
  readonly port?: string;
  readonly source?: string;
  readonly destination?: string;
  readonly protocol?: 'tcp' | 'udp' | 'sctp';
  /** A port (80) or a range of ports ("8000-8100"). */
  readonly ports?: number | string;
}

/**
 * Reads the rules in the list `marks` of a document. A rule may name a port of the document, or any port when the
 * document has no ports. Rules that the schema does not allow are skipped.
 */
export function readMarks(reader: DocumentReader): FirewallMark[] {
  return reader
    .steps(['marks'])
    .filter(step => reader.sound(['marks', step]))
    .map(step => readMark(reader, ['marks', step]))
    .filter(rule => rule !== undefined);
}

function readMark(reader: DocumentReader, path: Path): FirewallMark | undefined {
  const { mark, port, source, destination, protocol, ports } = reader.value<MarkDocument>(path);
  if (port !== undefined && !knowsPort(reader, port, [...path, 'port'])) return undefined;
  const from = readNetwork(reader, source, [...path, 'source']);
  const to = readNetwork(reader, destination, [...path, 'destination']);
  if (from !== undefined && to !== undefined && from.family !== to.family) {
    reader.conflict([...path, 'destination'], `is not of the family of ${source}`, destination, 'no packet is of both');
  }
  return {
    mark,
    port: port ?? null,
    source: from?.text ?? null,
    destination: to?.text ?? null,
    protocol: protocol ?? null,
    ports: ports === undefined ? null : readPortRange(reader, ports, [...path, 'ports']),
  };
}

function knowsPort(reader: DocumentReader, name: string, path: Path): boolean {
  const names = reader.steps(['ports']).map(String);
  if (names.length === 0 || names.includes(name)) return true;
  reader.report(path, 'names a port that is not defined', name, suggest(name, names));
  return false;
}

/** Reads a network or an address. An address is a network of one address. */
function readNetwork(reader: DocumentReader, text: string | undefined, path: Path): Network | undefined {
  if (text === undefined) return undefined;
  const address = parseAddress(text);
  const network = address === undefined ? parseNetwork(text) : networkOf(address, bitsOf(address.family));
  if (network === undefined) {
    return reader.report(path, 'is not an address or a network', text, 'such as 10.0.1.100 or 10.0.1.0/24');
  }
  return network;
}

function readPortRange(reader: DocumentReader, ports: number | string, path: Path): [number, number] {
  const text = String(ports);
  const [first = 0, last = first] = text.split('-').map(Number);
  if (last > largestPort || first > last) {
    reader.report(path, 'is not a range of ports', text, 'such as 80 or 8000-8100');
  }
  return [first, last];
}

/** The rule as a document writes it. */
export function writeMark({ mark, port, source, destination, protocol, ports }: FirewallMark): MarkDocument {
  return {
    mark,
    ...(port !== null && { port }),
    ...(source !== null && { source }),
    ...(destination !== null && { destination }),
    ...(protocol !== null && { protocol }),
    ...(ports !== null && { ports: ports[0] === ports[1] ? ports[0] : `${ports[0]}-${ports[1]}` }),
  };
}

/** The rule in a line: `5 tcp to 10.0.1.100/32 ports 8000-8100 on c0`. */
export function describeMark({ mark, port, source, destination, protocol, ports }: FirewallMark): string {
  const range = ports === null ? '' : ports[0] === ports[1] ? ` port ${ports[0]}` : ` ports ${ports.join('-')}`;
  const part = (word: string, value: string | null) => (value === null ? '' : ` ${word} ${value}`);
  return `${mark} ${protocol ?? 'any protocol'}${part('from', source)}${part('to', destination)}${range}${part('on', port)}`;
}
