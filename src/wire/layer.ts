// SPDX-License-Identifier: Apache-2.0
// A packet under construction is a list of layers, outermost first. buildPacket() puts it together from the innermost
// outwards: each layer is given the bytes it carries and what its neighbours say about themselves, and returns those
// bytes with its header in front. So lengths, next-protocol fields and checksums come out right by themselves.
import { concat } from './bytes.ts';

// What a layer is told about its neighbours.
export interface Place {
  /** EtherType of the layer inside; 0 when there is none that has one. */
  readonly etherType: number;
  /** IP protocol number of the layer inside; "no next header" when there is none that has one. */
  readonly protocol: number;
  /** The pseudo-header's one's complement sum for a transport message of that length, by the nearest IP header around. */
  readonly pseudoHeaderSum: (protocol: number, length: number) => number;
}

export interface Layer {
  readonly etherType?: number;
  readonly protocol?: number;
  readonly pseudoHeaderSum?: (protocol: number, length: number) => number;
  encode(inner: Uint8Array, place: Place): Uint8Array;
}

export const noNextHeader = 59;

// Bytes and text are payload.
export type LayerLike = Layer | Uint8Array | string;

export function payload(content: Uint8Array | string | number): Layer {
  const bytes =
    typeof content === 'number'
      ? new Uint8Array(content)
      : typeof content === 'string'
        ? Buffer.from(content)
        : content;
  return { encode: inner => concat(bytes, inner) };
}

/** The bytes of a packet that consists of these layers, outermost first. */
export function buildPacket(...layers: readonly LayerLike[]): Uint8Array {
  const all = layers.map(layer => (typeof layer === 'string' || layer instanceof Uint8Array ? payload(layer) : layer));
  let bytes: Uint8Array = new Uint8Array(0);
  for (let index = all.length - 1; index >= 0; index--) {
    const layer = all[index];
    if (layer !== undefined) bytes = layer.encode(bytes, placeOf(all, index));
  }
  return bytes;
}

const minimumFrameLength = 60; // of Ethernet, without the frame check sequence

/** The same as it leaves a NIC: padded to Ethernet's minimum. */
export function buildFrame(...layers: readonly LayerLike[]): Uint8Array {
  const bytes = buildPacket(...layers);
  return bytes.length < minimumFrameLength ? concat(bytes, new Uint8Array(minimumFrameLength - bytes.length)) : bytes;
}

function placeOf(layers: readonly Layer[], index: number): Place {
  const inside = layers[index + 1];
  const around = layers.slice(0, index).findLast(layer => layer.pseudoHeaderSum !== undefined);
  return {
    etherType: inside?.etherType ?? 0,
    protocol: inside?.protocol ?? noNextHeader,
    pseudoHeaderSum: around?.pseudoHeaderSum ?? (() => 0),
  };
}
