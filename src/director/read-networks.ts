// SPDX-License-Identifier: Apache-2.0
// Reads lists of addresses and networks in a document.
import { type Network, networksOverlap, parseNetwork } from '../core/address.ts';
import { byText } from '../core/config/canonical.ts';
import type { Path } from '../core/config/node.ts';
import type { DocumentReader } from '../core/config/reader.ts';

/** The networks of a list in its order; undefined for a text that is not a network. */
export function readNetworks(reader: DocumentReader, texts: readonly string[], path: Path): (Network | undefined)[] {
  const networks: (Network | undefined)[] = [];
  for (const [index, text] of texts.entries()) {
    const network = parseNetwork(text);
    if (network === undefined) {
      const remedy = 'write 10.0.2.0/24 or 2001:db8::/64, without bits beyond the prefix';
      reader.report([...path, index], 'is not an address or a network', text, remedy);
    } else {
      const other = networks.findIndex(before => before !== undefined && networksOverlap(before, network));
      if (other >= 0) {
        const remedy = `remove one: it overlaps with ${networks[other]?.text}`;
        reader.conflict([...path, index], 'is listed twice', text, remedy);
      }
    }
    networks.push(network);
  }
  return networks;
}

/** The canonical form of a list whose order has no meaning. */
export function sortedTexts(networks: readonly (Network | undefined)[]): string[] {
  return networks.flatMap(network => network?.text ?? []).toSorted(byText);
}
