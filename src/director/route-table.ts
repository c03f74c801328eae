// SPDX-License-Identifier: Apache-2.0
// The route table of a director that runs without a kernel: its ports, its neighbours and its routes. `sluice replay
// --net` reads it from a file, a net.yaml.
import type { TSchema } from 'typebox';
import Type from 'typebox';
import {
  type Address,
  contains,
  type Family,
  isMulticast,
  isUnspecified,
  type Network,
  networkOf,
  parseAddress,
  parseInterfaceAddress,
  parseNetwork,
} from '../core/address.ts';
import { deepFreeze } from '../core/config/canonical.ts';
import { type ConfigNode, nodeOf, type Path } from '../core/config/node.ts';
import { Problems } from '../core/config/problems.ts';
import { DocumentReader } from '../core/config/reader.ts';
import { suggest } from '../core/config/suggest.ts';
import { parseYaml } from '../core/config/yaml.ts';
import { type MarkDocument, marksSchema, readMarks } from './firewall-marks.ts';
import type { FirewallMark } from './model.ts';

const mac = { pattern: '^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$', form: 'a MAC address', examples: ['02:00:00:00:00:01'] };
const closed = { additionalProperties: false } as const;

// The smallest MTU of IPv4, and the largest length that a 16-bit field can hold.
const smallestMtu = 68;
const largestMtu = 65535;

export const routeTableSchema: TSchema = Type.Object(
  {
    ports: Type.Record(
      Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$' }),
      Type.Object(
        {
          mac: Type.String({ description: "The port's own address.", ...mac }),
          mtu: Type.Optional(
            Type.Integer({
              minimum: smallestMtu,
              maximum: largestMtu,
              default: 1500,
              unit: 'bytes',
              description: 'As of IP packets.',
            }),
          ),
          addresses: Type.Optional(
            Type.Array(Type.String({ form: 'an address with the prefix of its network', examples: ['10.0.1.1/24'] }), {
              description: "The director's own addresses; the route to each network follows from them.",
            }),
          ),
        },
        closed,
      ),
      { ...closed, description: "The director's ports.", form: 'use letters, digits, _, . and -' },
    ),
    neighbours: Type.Optional(
      Type.Record(
        Type.String({ pattern: '^[0-9a-fA-F:.]{2,45}$' }),
        Type.Object(
          {
            mac: Type.String({ description: "The neighbour's address.", ...mac }),
            port: Type.String({ description: 'Where it is.', form: 'the name of a port', examples: ['c0'] }),
          },
          closed,
        ),
        { ...closed, description: 'Hosts by their addresses.', form: 'write the address of the neighbour' },
      ),
    ),
    routes: Type.Optional(
      Type.Array(
        Type.Object(
          {
            to: Type.String({ description: 'The destination.', form: 'a network', examples: ['0.0.0.0/0'] }),
            via: Type.Optional(
              Type.String({ description: 'The gateway.', form: 'an address', examples: ['10.0.1.254'] }),
            ),
            port: Type.String({ description: 'The way out.', form: 'the name of a port', examples: ['c0'] }),
          },
          closed,
        ),
        { description: "Routes beside those of the ports' own networks. The longest prefix wins." },
      ),
    ),
    marks: Type.Optional(marksSchema),
  },
  { ...closed, description: 'The route table of a director.' },
);

/** A net.yaml as a value. */
export interface RouteTableDocument {
  readonly ports: Readonly<
    Record<string, { readonly mac: string; readonly mtu?: number; readonly addresses?: readonly string[] }>
  >;
  readonly neighbours?: Readonly<Record<string, { readonly mac: string; readonly port: string }>>;
  readonly routes?: readonly { readonly to: string; readonly via?: string; readonly port: string }[];
  readonly marks?: readonly MarkDocument[];
}

export interface PortInRouteTable {
  readonly name: string;
  /** In lower case, with colons. */
  readonly mac: string;
  readonly mtu: number;
  readonly addresses: readonly { readonly address: string; readonly prefix: number; readonly family: Family }[];
}

export interface Neighbour {
  readonly address: string;
  readonly family: Family;
  readonly mac: string;
  readonly port: string;
}

export interface Route {
  readonly network: string;
  readonly prefix: number;
  readonly family: Family;
  /** The gateway. Null when the destination itself is a neighbour. */
  readonly via: string | null;
  readonly port: string;
}

export interface RouteTable {
  /** In the order of the document. */
  readonly ports: readonly PortInRouteTable[];
  readonly neighbours: readonly Neighbour[];
  /** First the connected routes, which follow from the addresses of the ports, then the routes of the document. */
  readonly routes: readonly Route[];
  /** The first rule that fits a packet counts. */
  readonly marks: readonly FirewallMark[];
}

/** Reads a net.yaml. Throws a ConfigError, or ConfigErrors with all mistakes. */
export function parseRouteTable(text: string, file?: string): RouteTable {
  const problems = new Problems();
  const node = parseYaml(text, file, problems);
  const routeTable = node === undefined ? undefined : new RouteTableReader(node, problems).read();
  if (routeTable === undefined || problems.count > 0) return problems.throwAll();
  return routeTable;
}

/** The same from a plain value. A value without mistakes is a RouteTableDocument. */
export function routeTableFrom(value: unknown): RouteTable {
  const problems = new Problems();
  const routeTable = new RouteTableReader(nodeOf(value), problems).read();
  problems.throwIfAny();
  return routeTable;
}

class RouteTableReader extends DocumentReader {
  readonly #connected: { readonly network: Network; readonly port: string }[] = [];
  readonly #taken = new Map<string, Path>();

  constructor(node: ConfigNode, problems: Problems) {
    super(node, routeTableSchema, [], problems);
  }

  read(): RouteTable {
    const ports = this.#sound('ports', (name, path) => this.#port(name, path));
    const neighbours = this.#sound('neighbours', (address, path) => this.#neighbour(address, path));
    const routes = this.#sound('routes', (_index, path) => this.#route(path));
    const connected = this.#connected.map(({ network, port }) => routeOf(network, null, port));
    return deepFreeze({ ports, neighbours, routes: [...connected, ...routes], marks: readMarks(this) });
  }

  #sound<T>(key: string, read: (step: string, path: Path) => T | undefined): T[] {
    return this.steps([key])
      .filter(step => this.sound([key, step]))
      .map(step => read(String(step), [key, step]))
      .filter(part => part !== undefined);
  }

  #port(name: string, path: Path): PortInRouteTable {
    const { mac: own, mtu = 1500, addresses = [] } = this.value<RouteTableDocument['ports'][string]>(path);
    this.#checkMac(own, [...path, 'mac']);
    const read: PortInRouteTable['addresses'][number][] = [];
    for (const [index, text] of addresses.entries()) {
      const at = [...path, 'addresses', index];
      const parsed = parseInterfaceAddress(text);
      if (parsed === undefined || !isUsable(parsed.address)) {
        this.report(at, 'is not an address that a port could have', text, 'such as 10.0.1.1/24');
        continue;
      }
      const { address, prefix } = parsed;
      const first = this.#taken.get(address.text);
      if (first !== undefined)
        this.conflict(at, 'is given twice', text, `remove it, or the one at ${this.mention(first)}`);
      this.#taken.set(address.text, at);
      read.push({ address: address.text, prefix, family: address.family });
      this.#connect(networkOf(address, prefix), name);
    }
    return { name, mac: own.toLowerCase(), mtu, addresses: read };
  }

  // Two addresses in the same network make one route.
  #connect(network: Network, port: string): void {
    const known = this.#connected.some(other => other.port === port && other.network.text === network.text);
    if (!known) this.#connected.push({ network, port });
  }

  #neighbour(text: string, path: Path): Neighbour | undefined {
    const { mac: other, port } = this.value<NonNullable<RouteTableDocument['neighbours']>[string]>(path);
    const address = parseAddress(text);
    if (address === undefined || !isUsable(address)) {
      return this.report(path, 'is not the address of a host', text, 'such as 10.0.1.2');
    }
    this.#checkMac(other, [...path, 'mac']);
    if (!this.#knowsPort(port, [...path, 'port'])) return undefined;
    if (this.#taken.has(address.text)) {
      const remedy = 'remove it: a director is not its own neighbour';
      return this.conflict(path, 'is an address of the director itself', text, remedy);
    }
    return { address: address.text, family: address.family, mac: other.toLowerCase(), port };
  }

  #route(path: Path): Route | undefined {
    const { to, via, port } = this.value<NonNullable<RouteTableDocument['routes']>[number]>(path);
    const network = parseNetwork(to);
    if (network === undefined) {
      const remedy = 'such as 0.0.0.0/0 or 10.0.5.0/24, without bits beyond the prefix';
      return this.report([...path, 'to'], 'is not a network', to, remedy);
    }
    if (!this.#knowsPort(port, [...path, 'port'])) return undefined;
    if (via === undefined) return routeOf(network, null, port);
    const gateway = parseAddress(via);
    if (gateway === undefined || !isUsable(gateway)) {
      return this.report([...path, 'via'], 'is not the address of a host', via, 'such as 10.0.1.254');
    }
    if (gateway.family !== network.family) {
      return this.conflict(
        [...path, 'via'],
        `is not of the family of ${to}`,
        via,
        `use an IPv${network.family} address`,
      );
    }
    // Every port has the link-local network of IPv6, although no document says so.
    const reachable = this.#connected.some(other => other.port === port && contains(other.network, gateway));
    if (!reachable && !gateway.text.startsWith('fe80:')) {
      this.conflict(
        [...path, 'via'],
        `is in no network of port ${port}`,
        via,
        `give the port an address of that network`,
      );
    }
    return routeOf(network, gateway.text, port);
  }

  #knowsPort(name: string, path: Path): boolean {
    const names = this.steps(['ports']).map(String);
    if (names.includes(name)) return true;
    this.report(path, 'names a port that is not defined', name, suggest(name, names));
    return false;
  }

  #checkMac(text: string, path: Path): void {
    const multicast = (Number.parseInt(text.slice(0, 2), 16) & 1) === 1;
    if (multicast || text === '00:00:00:00:00:00') {
      this.report(path, 'is not the address of one device', text, 'such as 02:00:00:00:00:01');
    }
  }
}

function isUsable(address: Address): boolean {
  return !isMulticast(address) && !isUnspecified(address);
}

function routeOf(network: Network, via: string | null, port: string): Route {
  return { network: network.first.text, prefix: network.prefix, family: network.family, via, port };
}
