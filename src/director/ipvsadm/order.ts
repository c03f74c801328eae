// SPDX-License-Identifier: Apache-2.0
// The order in which ipvsadm prints services and servers. ipvsadm compares two numbers by their difference in 32 signed
// bits. This is not a valid order when numbers are more than 2^31 apart: 10.0.0.0 comes before 100.0.0.0, 100.0.0.0
// before 192.168.0.0, and 192.168.0.0 before 10.0.0.0. The result then depends on the sorting algorithm. So this file uses the
// algorithm of the C library: a merge sort that takes an element of the left half when it is not greater.
import { parseAddress } from '../../core/address.ts';
import type { RealServer, Service, ServiceIdentity } from '../model.ts';

type Compare<T> = (a: T, b: T) => number;

export function sortServices<T extends Pick<Service, 'identity'>>(services: readonly T[]): T[] {
  return sortWith(addressesFirst(services), service => sortKey(service.identity));
}

/**
 * As the kernel lists services: those of marks in a table of their own, the second one. Their places in the tables follow from a
 * random number of the kernel.
 */
export function addressesFirst<T extends Pick<Service, 'identity'>>(services: readonly T[]): T[] {
  const isMark = ({ identity }: T): boolean => 'mark' in identity;
  return [...services.filter(service => !isMark(service)), ...services.filter(isMark)];
}

/** `servers` in the order of their arrival; the kernel lists the latest first. */
export function sortServers<T extends Pick<RealServer, 'address' | 'port'>>(servers: readonly T[]): T[] {
  return sortWith(servers.toReversed(), server => [...addressWords(server.address), server.port]);
}

const protocolNumbers = { tcp: 6, udp: 17, sctp: 132 } as const;

// The first difference decides: of mark, family, protocol, address and port, in this order.
function sortKey(identity: ServiceIdentity): number[] {
  if ('mark' in identity) return [identity.mark, identity.family, 0, 0, 0, 0, 0, 0];
  const words = addressWords(identity.address);
  return [0, words.family, protocolNumbers[identity.protocol], ...words, identity.port];
}

// The address as the union in the kernel holds it: an IPv4 address is the first of four words.
function addressWords(text: string): number[] & { family: number } {
  const address = parseAddress(text);
  const words = [0, 1, 2, 3].map(index => address?.words[index] ?? 0);
  return Object.assign(words, { family: address?.family ?? 4 });
}

function sortWith<T>(items: readonly T[], keyOf: (item: T) => readonly number[]): T[] {
  const keyed = items.map(item => ({ item, key: keyOf(item) }));
  return mergeSort(keyed, (a, b) => compareKeys(a.key, b.key)).map(({ item }) => item);
}

function compareKeys(a: readonly number[], b: readonly number[]): number {
  for (const [index, value] of a.entries()) {
    const difference = (value - (b[index] ?? 0)) | 0;
    if (difference !== 0) return difference;
  }
  return 0;
}

function mergeSort<T>(items: readonly T[], compare: Compare<T>): T[] {
  if (items.length < 2) return [...items];
  const middle = Math.floor(items.length / 2);
  const left = mergeSort(items.slice(0, middle), compare);
  const right = mergeSort(items.slice(middle), compare);
  const merged: T[] = [];
  let [l, r] = [0, 0];
  while (l < left.length && r < right.length) {
    const [a, b] = [left[l] as T, right[r] as T];
    if (compare(a, b) <= 0) {
      merged.push(a);
      l++;
    } else {
      merged.push(b);
      r++;
    }
  }
  return merged.concat(left.slice(l), right.slice(r));
}
