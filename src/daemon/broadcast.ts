// SPDX-License-Identifier: Apache-2.0
import { networkInterfaces } from 'node:os';
import { type Address, bitsOf, parseInterfaceAddress } from '../core/address.ts';

/** A network of two addresses or of one has no broadcast address (RFC 3021). */
const longestPrefix = 30;

/** Whether an interface of this host has the address as its broadcast address: the last one of its network. */
export function isBroadcast({ family, words: [word = 0] }: Address): boolean {
  if (family !== 4) return false;
  return Object.values(networkInterfaces())
    .flatMap(addresses => addresses ?? [])
    .some(({ cidr }) => {
      const own = parseInterfaceAddress(cidr ?? '');
      if (own?.address.family !== 4 || own.prefix > longestPrefix) return false;
      const hosts = 2 ** (bitsOf(4) - own.prefix) - 1;
      return ((own.address.words[0] ?? 0) | hosts) >>> 0 === word;
    });
}
