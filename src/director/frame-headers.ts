// SPDX-License-Identifier: Apache-2.0
// The few header fields that a replay needs before the director sees a frame: with them it recognises frames that a
// host has merged. The director judges malformed frames; for such a frame this file returns undefined.
import type { Family } from '../core/address.ts';

export interface FrameHeaders {
  readonly family: Family;
  /** The offset of the IP header. */
  readonly l3: number;
  /** The length that the IP header gives: the packet without the padding of the frame. */
  readonly packetLength: number;
  /** The bytes of both addresses. */
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  /** The protocol of the transport header, behind the extension headers of IPv6. */
  readonly protocol: number;
  /** The offset of the transport header; undefined in later fragments, and when the frame ends before this header. */
  readonly l4: number | undefined;
  readonly isFragment: boolean;
}

const ethernetLength = 14;
const tagLength = 4;
const mostTags = 2;
const tagTypes: readonly number[] = [0x8100, 0x88a8, 0x9100];
const [ipv4Type, ipv6Type] = [0x0800, 0x86dd] as const;
const [ipv4Length, ipv6Length] = [20, 40] as const;
const extension = { hopByHop: 0, routing: 43, fragment: 44, destination: 60 } as const;
const chained: readonly number[] = [extension.hopByHop, extension.routing, extension.destination];

/** The headers of the frame; undefined when it holds no IP packet or only a part of the IP header. */
export function frameHeaders(frame: Uint8Array): FrameHeaders | undefined {
  if (frame.length < ethernetLength) return undefined;
  let [l3, type] = [ethernetLength, be16(frame, ethernetLength - 2)];
  for (let tags = 0; tags < mostTags && tagTypes.includes(type) && frame.length >= l3 + tagLength; tags += 1) {
    type = be16(frame, l3 + 2);
    l3 += tagLength;
  }
  if (type === ipv4Type && frame.length >= l3 + ipv4Length) return ipv4Headers(frame, l3);
  if (type === ipv6Type && frame.length >= l3 + ipv6Length) return ipv6Headers(frame, l3);
  return undefined;
}

export function be16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

function ipv4Headers(frame: Uint8Array, l3: number): FrameHeaders {
  const fragment = be16(frame, l3 + 6);
  const isLater = (fragment & 0x1fff) !== 0;
  const l4 = l3 + ((frame[l3] ?? 0) & 0x0f) * 4;
  return {
    family: 4,
    l3,
    packetLength: be16(frame, l3 + 2),
    source: frame.subarray(l3 + 12, l3 + 16),
    destination: frame.subarray(l3 + 16, l3 + 20),
    protocol: frame[l3 + 9] ?? 0,
    l4: isLater || l4 >= frame.length ? undefined : l4,
    isFragment: (fragment & 0x3fff) !== 0,
  };
}

function ipv6Headers(frame: Uint8Array, l3: number): FrameHeaders {
  let [protocol, at, isFragment, isLater] = [frame[l3 + 6] ?? 0, l3 + ipv6Length, false, false];
  while (at + 8 <= frame.length && !isLater && (protocol === extension.fragment || chained.includes(protocol))) {
    const next = frame[at] ?? 0;
    if (protocol === extension.fragment) {
      isFragment = true;
      isLater = (be16(frame, at + 2) & 0xfff8) !== 0;
      at += 8;
    } else {
      at += ((frame[at + 1] ?? 0) + 1) * 8;
    }
    protocol = next;
  }
  return {
    family: 6,
    l3,
    packetLength: ipv6Length + be16(frame, l3 + 4),
    source: frame.subarray(l3 + 8, l3 + 24),
    destination: frame.subarray(l3 + 24, l3 + 40),
    protocol,
    l4: isLater || at >= frame.length ? undefined : at,
    isFragment,
  };
}
