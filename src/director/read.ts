// SPDX-License-Identifier: Apache-2.0
// From the layer-4 part of a document, as it is written, to the model. The schema has been checked; what it cannot say
// is checked here and in read-service.ts: addresses, what belongs together, what contradicts what. A part that the schema
// has found fault with is passed over, so that one mistake is reported once.
import {
  contains,
  isMulticast,
  isUnspecified,
  type Network,
  networksOverlap,
  parseAddress,
  parseNetwork,
} from '../core/address.ts';
import type { ConfigNode, Path } from '../core/config/node.ts';
import type { Problems } from '../core/config/problems.ts';
import { DocumentReader } from '../core/config/reader.ts';
import { suggest } from '../core/config/suggest.ts';
import { readMarks } from './firewall-marks.ts';
import {
  byText,
  type DirectorModel,
  defaultLimits,
  defaultSwitches,
  defaultTimeouts,
  type Egress,
  emptyDirectorModel,
  type Pool,
  type Port,
  type Service,
  type Switches,
  serviceKey,
  type Timeouts,
} from './model.ts';
import { readService } from './read-service.ts';
import { type DirectorDocument, directorSchema, type ServiceDocument } from './schema.ts';

/** The place of the layer-4 part in a document. */
export const directorKey = 'director';

/** The model of a document's layer-4 part; what is wrong with it is reported to `problems`. */
export function readDirectorModel(node: ConfigNode | undefined, problems: Problems): DirectorModel {
  if (node === undefined) return emptyDirectorModel;
  const context = new ReadContext(node, problems);
  const pools = context.named('pools', readPool);
  context.poolNetworks(pools);
  const services = readServices(context);
  checkPoolsAgainstServices(context, services);
  const document = context.sound(['limits']) ? context.value<DirectorDocument['limits']>(['limits']) : undefined;
  return {
    ports: context.named('ports', readPort),
    services: services.toSorted((a, b) => byText(serviceKey(a.identity), serviceKey(b.identity))),
    pools,
    egress: context.named('egress', readEgress),
    marks: readMarks(context),
    timeouts: readTimeouts(context),
    switches: readSwitches(context),
    limits: { ...defaultLimits, ...document },
  };
}

/** The layer-4 part being read, with what its parts have to know of each other. */
export class ReadContext extends DocumentReader {
  /** The networks of every pool that could be read. */
  readonly networks = new Map<string, readonly Network[]>();

  constructor(root: ConfigNode, problems: Problems) {
    super(root, directorSchema, [directorKey], problems);
  }

  /** The sound parts of a map of named things, sorted by name. */
  named<T extends { readonly name: string }>(
    key: string,
    read: (context: ReadContext, name: string, path: Path) => T | undefined,
  ): T[] {
    return this.steps([key])
      .map(String)
      .filter(name => this.sound([key, name]))
      .map(name => read(this, name, [key, name]))
      .filter(part => part !== undefined)
      .toSorted((a, b) => byText(a.name, b.name));
  }

  /** Reports an unknown pool. A pool that is there and faulty is known. */
  knowsPool(name: string, path: Path): boolean {
    const names = this.steps(['pools']).map(String);
    if (names.includes(name)) return true;
    const remedy = names.length === 0 ? `define it: director.pools.${name}: [10.0.3.0/28]` : suggest(name, names);
    this.report(path, 'names a pool that is not defined', name, remedy);
    return false;
  }

  poolNetworks(pools: readonly Pool[]): void {
    for (const { name, addresses } of pools) {
      this.networks.set(
        name,
        addresses.map(parseNetwork).filter(network => network !== undefined),
      );
    }
  }
}

function readServices(context: ReadContext): Service[] {
  const services: Service[] = [];
  const seen = new Map<string, Path>();
  for (const index of context.steps(['services'])) {
    const path = ['services', index];
    if (!context.sound(path)) continue;
    const service = readService(context, context.value<ServiceDocument>(path), path);
    if (service === undefined) continue;
    const key = serviceKey(service.identity);
    const first = seen.get(key);
    if (first !== undefined) {
      context.conflict(
        path,
        'is defined twice',
        key,
        `remove it, or merge it with the one at ${context.mention(first)}`,
      );
      continue;
    }
    seen.set(key, path);
    services.push(service);
  }
  return services;
}

// A pool's address that is also a service's would make replies to the director look like new flows of clients.
function checkPoolsAgainstServices(context: ReadContext, services: readonly Service[]): void {
  for (const [name, networks] of context.networks) {
    for (const service of services) {
      if ('mark' in service.identity) continue;
      const address = parseAddress(service.identity.address);
      if (address === undefined || !networks.some(network => contains(network, address))) continue;
      const remedy = `take ${address.text} out of the pool: it belongs to ${serviceKey(service.identity)}`;
      context.conflict(['pools', name], 'contains the address of a service', address.text, remedy);
    }
  }
}

function readPort(context: ReadContext, name: string, path: Path): Port {
  const value = context.value<NonNullable<DirectorDocument['ports']>[string]>(path);
  if (typeof value === 'string') return { name, device: value, type: 'packet' };
  const { device = name, type = 'packet', vlan } = value;
  return { name, device, type, ...(vlan !== undefined && { vlan }) };
}

const wellKnownPorts = 1024;

function readPool(context: ReadContext, name: string, path: Path): Pool | undefined {
  const value = context.value<NonNullable<DirectorDocument['pools']>[string]>(path);
  const [list, at] = Array.isArray(value) ? [value, path] : [value.addresses, [...path, 'addresses']];
  const networks = readNetworks(context, list, at);
  for (const [index, network] of networks.entries()) {
    if (network !== undefined && (isMulticast(network.first) || isUnspecified(network.first))) {
      context.report(
        [...at, index],
        'is no address that the director could use',
        network.text,
        'use unicast addresses',
      );
    }
  }
  const range = (Array.isArray(value) ? undefined : value.ports) ?? `${wellKnownPorts}-65535`;
  const [firstPort = 0, lastPort = 0] = range.split('-').map(Number);
  if (firstPort < 1 || lastPort > 65535 || firstPort > lastPort) {
    return context.report(
      [...path, 'ports'],
      'is not a range of ports',
      range,
      'use 1 to 65535, the lower number first',
    );
  }
  return { name, addresses: sortedTexts(networks), firstPort, lastPort };
}

function readEgress(context: ReadContext, name: string, path: Path): Egress | undefined {
  const value = context.value<NonNullable<DirectorDocument['egress']>[string]>(path);
  const sources = readNetworks(context, value.sources, [...path, 'sources']);
  if (!context.knowsPool(value.pool, [...path, 'pool'])) return undefined;
  const pool = context.networks.get(value.pool) ?? [];
  for (const [index, source] of sources.entries()) {
    if (source === undefined || pool.length === 0) continue;
    if (!pool.some(({ family }) => family === source.family)) {
      const remedy = `add IPv${source.family} addresses to the pool ${value.pool}`;
      context.conflict([...path, 'sources', index], 'has no address of its family in the pool', source.text, remedy);
    }
  }
  return { name, sources: sortedTexts(sources), pool: value.pool };
}

// The networks of a list, in its order; undefined for what is none.
function readNetworks(context: ReadContext, texts: readonly string[], path: Path): (Network | undefined)[] {
  const networks: (Network | undefined)[] = [];
  for (const [index, text] of texts.entries()) {
    const network = parseNetwork(text);
    if (network === undefined) {
      const remedy = 'write 10.0.2.0/24 or 2001:db8::/64, without bits beyond the prefix';
      context.report([...path, index], 'is not an address or a network', text, remedy);
    } else {
      const other = networks.findIndex(before => before !== undefined && networksOverlap(before, network));
      if (other >= 0) {
        const remedy = `remove one: it overlaps with ${networks[other]?.text}`;
        context.conflict([...path, index], 'is listed twice', text, remedy);
      }
    }
    networks.push(network);
  }
  return networks;
}

function sortedTexts(networks: readonly (Network | undefined)[]): string[] {
  return networks.flatMap(network => network?.text ?? []).toSorted(byText);
}

function readTimeouts(context: ReadContext): Timeouts {
  const part = <Key extends keyof Timeouts>(key: Key): Timeouts[Key] => ({
    ...defaultTimeouts[key],
    ...(context.sound(['timeouts', key]) ? context.value<Partial<Timeouts[Key]>>(['timeouts', key]) : {}),
  });
  return { tcp: part('tcp'), udp: part('udp'), sctp: part('sctp'), icmp: part('icmp') };
}

// The sysctls of IPVS are numbers; those that are switches may be written either way.
function readSwitches(context: ReadContext): Switches {
  if (!context.sound(['switches'])) return defaultSwitches;
  const written = context.value<Record<string, number | boolean>>(['switches']);
  const entries = Object.entries(defaultSwitches).map(([name, standard]) => {
    const value = written[name] ?? standard;
    return [name, typeof standard === 'boolean' ? Boolean(value) : value];
  });
  return Object.fromEntries(entries) as Switches;
}
