// SPDX-License-Identifier: Apache-2.0
// A packet is built from a list of layers, the outermost first. buildPacket() begins with the innermost layer. Each
// layer gets the bytes that it carries and some facts about the layers around and inside it, and returns the bytes with
// its own header in front. So lengths, next-protocol fields and checksums are correct without further work.
import { concat } from './bytes.ts';

// The facts that a layer gets about the layers around and inside it.
export interface Place {
  /** The EtherType of the layer inside; 0 when it has none. */
  readonly etherType: number;
  /** The IP protocol number of the layer inside; "no next header" when it has none. */
  readonly protocol: number;
  /**
   * The one's complement sum of the pseudo-header for a transport message of this length, from the nearest IP header
   * around.
   */
  readonly pseudoHeaderSum: (protocol: number, length: number) => number;
}

export interface Layer {
  readonly etherType?: number;
  readonly protocol?: number;
  readonly pseudoHeaderSum?: (protocol: number, length: number) => number;
  encode(inner: Uint8Array, place: Place): Uint8Array;
}

export const noNextHeader = 59;

// Bytes and text among the layers are payload.
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

/** The bytes of a packet of these layers, the outermost first. */
export function buildPacket(...layers: readonly LayerLike[]): Uint8Array {
  const all = layers.map(layer => (typeof layer === 'string' || layer instanceof Uint8Array ? payload(layer) : layer));
  let bytes: Uint8Array = new Uint8Array(0);
  for (let index = all.length - 1; index >= 0; index--) {
    const layer = all[index];
    if (layer !== undefined) bytes = layer.encode(bytes, placeOf(all, index));
  }
  return bytes;
}

const minimumFrameLength = 60; // the minimum of Ethernet, without the frame check sequence

/** The same, padded to the minimum length of Ethernet, as a network card sends it. */
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
