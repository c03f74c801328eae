// SPDX-License-Identifier: Apache-2.0
// Makes the bytes of the packets that the packet language describes, with the packet builder. Checksums are correct
// unless a scenario asks for a wrong one.

import { isIPv4, isIPv6 } from 'node:net';
import { ipv4Bytes, ipv6Bytes, macBytes } from './addresses.ts';
import { concat, viewOf as view } from './bytes.ts';
import { internetChecksum as checksumOf, crc32c } from './checksum.ts';
import { buildPacket, fragment, ipv4, ipv6, type Layer } from './packet-builder.ts';

export { etherTypes as etherType } from './link-layers.ts';
export { protocols as protocol } from './network-layers.ts';
export { concat, crc32c, view };

export interface Address {
  readonly family: 4 | 6;
  readonly bytes: Uint8Array;
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

export function parseAddress(text: string): Address | undefined {
  if (isIPv4(text)) return { family: 4, bytes: ipv4Bytes(text) };
  return isIPv6(text) && !text.includes('%') ? { family: 6, bytes: ipv6Bytes(text) } : undefined;
}

export function formatAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, i) =>
    view(bytes)
      .getUint16(2 * i)
      .toString(16),
  );
  // RFC 5952: "::" replaces the longest run of two or more zero groups; of equally long runs, the first.
  const runs = [
    ...groups
      .map(group => (group === '0' ? 'z' : 'x'))
      .join('')
      .matchAll(/z{2,}/g),
  ];
  const longest = runs.sort((a, b) => b[0].length - a[0].length || a.index - b.index)[0];
  if (longest === undefined) return groups.join(':');
  const end = longest.index + longest[0].length;
  return `${groups.slice(0, longest.index).join(':')}::${groups.slice(end).join(':')}`;
}

export function parseMac(text: string): Uint8Array | undefined {
  return /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text) ? macBytes(text) : undefined;
}

export function formatMac(bytes: Uint8Array): string {
  return [...bytes].map(byte => byte.toString(16).padStart(2, '0')).join(':');
}

export function internetChecksum(...parts: readonly Uint8Array[]): number {
  return checksumOf(concat(...parts));
}

export function pseudoHeader(source: Uint8Array, destination: Uint8Array, proto: number, length: number): Uint8Array {
  const rest = new Uint8Array(source.length === 4 ? 4 : 8);
  if (source.length === 4) {
    rest[1] = proto;
    view(rest).setUint16(2, length);
  } else {
    view(rest).setUint32(0, length);
    rest[7] = proto;
  }
  return concat(source, destination, rest);
}

export interface Extension {
  readonly type: number;
  readonly bytes: Uint8Array; // the whole header; the first byte, the next header, is filled in later
}

export interface IpHeader {
  source: Address;
  destination: Address;
  protocol: number;
  ttl: number;
  tos: number;
  id: number;
  dontFragment: boolean;
  options: Uint8Array; // IPv4
  extension: Extension | undefined; // IPv6
  flowLabel: number;
  wrongChecksum: boolean;
}

export interface Cut {
  readonly offset: number; // bytes
  readonly more: boolean;
}

function extensionLayer({ type, bytes }: Extension): Layer {
  return { protocol: type, encode: (inner, place) => concat(Uint8Array.of(place.protocol), bytes.subarray(1), inner) };
}

function ipv4Packet(header: IpHeader, upper: Layer, cut: Cut | undefined): Uint8Array {
  const { ttl, tos, id, dontFragment, options } = header;
  const addresses = {
    source: formatAddress(header.source.bytes),
    destination: formatAddress(header.destination.bytes),
  };
  const place = { fragmentOffset: cut?.offset ?? 0, moreFragments: cut?.more ?? false };
  const packet = buildPacket(ipv4({ ...addresses, ttl, tos, id, dontFragment, options, ...place }), upper);
  const checksumAt = 10;
  if (header.wrongChecksum) view(packet).setUint16(checksumAt, view(packet).getUint16(checksumAt) ^ 1);
  return packet;
}

function ipv6Packet(header: IpHeader, upper: Layer, cut: Cut | undefined): Uint8Array {
  const { ttl: hopLimit, tos: trafficClass, flowLabel, id, extension } = header;
  const addresses = {
    source: formatAddress(header.source.bytes),
    destination: formatAddress(header.destination.bytes),
  };
  return buildPacket(
    ipv6({ ...addresses, hopLimit, trafficClass, flowLabel }),
    ...(extension ? [extensionLayer(extension)] : []),
    ...(cut ? [fragment({ ...cut, id })] : []),
    upper,
  );
}

export function ipPacket(header: IpHeader, payload: Uint8Array, cut?: Cut): Uint8Array {
  const upper: Layer = { protocol: header.protocol, encode: () => payload };
  return header.source.family === 6 ? ipv6Packet(header, upper, cut) : ipv4Packet(header, upper, cut);
}

export function ethernetFrame(
  destination: Uint8Array,
  source: Uint8Array,
  type: number,
  payload: Uint8Array,
): Uint8Array {
  return concat(destination, source, Uint8Array.of(type >> 8, type & 0xff), payload);
}
