// SPDX-License-Identifier: Apache-2.0
// Reads the pools of local addresses in a document, and checks references to pools from services and egress rules.
import { contains, isMulticast, isUnspecified, type Network, parseAddress, parseNetwork } from '../core/address.ts';
import type { Path } from '../core/config/node.ts';
import type { DocumentReader } from '../core/config/reader.ts';
import { suggest } from '../core/config/suggest.ts';
import { type Pool, type Service, serviceKey } from './model.ts';
import { readNetworks, sortedTexts } from './read-networks.ts';
import type { DirectorDocument } from './schema.ts';

// Lower ports are well-known ports, which belong to services.
const firstLocalPort = 1024;

/** The pools of a document. */
export class PoolsInDocument {
  /** The pools without mistakes, sorted by name. */
  readonly list: readonly Pool[];
  readonly #reader: DocumentReader;
  readonly #networks: ReadonlyMap<string, readonly Network[]>;

  constructor(reader: DocumentReader) {
    this.#reader = reader;
    this.list = reader.named('pools', (name, path) => readPool(reader, name, path));
    this.#networks = new Map(
      this.list.map(({ name, addresses }) => [
        name,
        addresses.map(parseNetwork).filter(network => network !== undefined),
      ]),
    );
  }

  /** Whether there is a pool of this name, with mistakes or without; an unknown name is reported. */
  knows(name: string, path: Path): boolean {
    const names = this.#reader.steps(['pools']).map(String);
    if (names.includes(name)) return true;
    const example = `${this.#reader.fullPath(['pools', name])}: [10.0.3.0/28]`;
    const remedy = names.length === 0 ? `define it: ${example}` : suggest(name, names);
    this.#reader.report(path, 'names a pool that is not defined', name, remedy);
    return false;
  }

  /** The networks of a pool; undefined when the pool has mistakes. */
  networksOf(name: string): readonly Network[] | undefined {
    return this.#networks.get(name);
  }

  /**
   * Reports pools that contain the address of a service. A reply to such an address would look like a new flow of a
   * client.
   */
  checkAgainst(services: readonly Service[]): void {
    for (const [name, networks] of this.#networks) {
      for (const service of services) {
        if ('mark' in service.identity) continue;
        const address = parseAddress(service.identity.address);
        if (address === undefined || !networks.some(network => contains(network, address))) continue;
        const remedy = `take ${address.text} out of the pool: it belongs to ${serviceKey(service.identity)}`;
        this.#reader.conflict(['pools', name], 'contains the address of a service', address.text, remedy);
      }
    }
  }
}

function readPool(reader: DocumentReader, name: string, path: Path): Pool | undefined {
  const value = reader.value<NonNullable<DirectorDocument['pools']>[string]>(path);
  const [list, at] = Array.isArray(value) ? [value, path] : [value.addresses, [...path, 'addresses']];
  const networks = readNetworks(reader, list, at);
  for (const [index, network] of networks.entries()) {
    if (network !== undefined && (isMulticast(network.first) || isUnspecified(network.first))) {
      reader.report([...at, index], 'is no address that the director could use', network.text, 'use unicast addresses');
    }
  }
  const range = (Array.isArray(value) ? undefined : value.ports) ?? `${firstLocalPort}-65535`;
  const [firstPort = 0, lastPort = 0] = range.split('-').map(Number);
  if (firstPort < 1 || lastPort > 65535 || firstPort > lastPort) {
    return reader.report(
      [...path, 'ports'],
      'is not a range of ports',
      range,
      'use 1 to 65535, the lower number first',
    );
  }
  return { name, addresses: sortedTexts(networks), firstPort, lastPort };
}
