// SPDX-License-Identifier: Apache-2.0
// The broadcast addresses of this host: the last ones of its interfaces' networks.
import { networkInterfaces } from 'node:os';
import { type Address, bitsOf, parseInterfaceAddress } from '../core/address.ts';

/** A network of two addresses or of one has no broadcast address (RFC 3021). */
const longestPrefix = 30;

/** Tells of addresses whether they are broadcast addresses. The interfaces are read once, when it is asked first. */
export function broadcastTest(): (address: Address) => boolean {
  let known: ReadonlySet<number> | undefined;
  return ({ family, words: [word = 0] }) => {
    if (family !== 4) return false;
    known ??= broadcasts();
    return known.has(word);
  };
}

function broadcasts(): ReadonlySet<number> {
  const found = new Set<number>();
  for (const { cidr } of Object.values(networkInterfaces()).flatMap(addresses => addresses ?? [])) {
    const own = parseInterfaceAddress(cidr ?? '');
    if (own?.address.family !== 4 || own.prefix > longestPrefix) continue;
    const hosts = 2 ** (bitsOf(4) - own.prefix) - 1;
    found.add(((own.address.words[0] ?? 0) | hosts) >>> 0);
  }
  return found;
}
