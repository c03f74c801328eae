// SPDX-License-Identifier: Apache-2.0
// Bytes of the packets that scenarios describe: addresses, checksums, headers.
// Everything is big-endian; a checksum is computed unless a scenario asks for a wrong one.

export const etherType = { ipv4: 0x0800, arp: 0x0806, ipv6: 0x86dd } as const;
export const protocol = {
  icmp: 1,
  ipip: 4,
  tcp: 6,
  udp: 17,
  ipv6: 41,
  fragment: 44,
  gre: 47,
  icmpv6: 58,
  sctp: 132,
} as const;

export interface Address {
  readonly family: 4 | 6;
  readonly bytes: Uint8Array;
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

export function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

function parseIpv4(text: string): Uint8Array | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every(part => /^\d{1,3}$/.test(part) && Number(part) <= 255)) return undefined;
  return Uint8Array.from(parts.map(Number));
}

function parseIpv6(text: string): Uint8Array | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const groups = (half: string | undefined) => (half ? half.split(':') : []);
  const head = groups(halves[0]);
  const tail = groups(halves[1]);
  const gap = 8 - head.length - tail.length;
  if (halves.length === 2 ? gap < 1 : gap !== 0) return undefined;
  const all = [...head, ...Array<string>(gap).fill('0'), ...tail];
  if (!all.every(group => /^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  return Uint8Array.from(all.flatMap(group => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff]));
}

export function parseAddress(text: string): Address | undefined {
  const v4 = parseIpv4(text);
  if (v4) return { family: 4, bytes: v4 };
  const v6 = parseIpv6(text);
  return v6 ? { family: 6, bytes: v6 } : undefined;
}

export function formatAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, i) =>
    view(bytes)
      .getUint16(2 * i)
      .toString(16),
  );
  // RFC 5952: the longest run of at least two zero groups, the first of equals, becomes "::".
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
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) return undefined;
  return Uint8Array.from(Buffer.from(text.replaceAll(':', ''), 'hex'));
}

export function formatMac(bytes: Uint8Array): string {
  return [...bytes].map(byte => byte.toString(16).padStart(2, '0')).join(':');
}

export function internetChecksum(...parts: readonly Uint8Array[]): number {
  const bytes = concat(...parts);
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
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

const crc32cTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  return value;
});

// RFC 9260 appendix A; the result goes into the SCTP header least significant byte first.
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = ((crc32cTable[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8)) >>> 0;
  return ~crc >>> 0;
}

export interface Extension {
  readonly type: number;
  readonly bytes: Uint8Array; // whole header; its first byte, the next header, is filled in
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

function ipv4Header(header: IpHeader, payloadLength: number, cut: Cut | undefined): Uint8Array {
  const options = concat(header.options, new Uint8Array((4 - (header.options.length % 4)) % 4));
  const bytes = new Uint8Array(20 + options.length);
  const fields = view(bytes);
  bytes[0] = 0x40 | (bytes.length / 4);
  bytes[1] = header.tos;
  fields.setUint16(2, bytes.length + payloadLength);
  fields.setUint16(4, header.id);
  fields.setUint16(6, (header.dontFragment ? 0x4000 : 0) | (cut?.more ? 0x2000 : 0) | ((cut?.offset ?? 0) / 8));
  bytes[8] = header.ttl;
  bytes[9] = header.protocol;
  bytes.set(header.source.bytes, 12);
  bytes.set(header.destination.bytes, 16);
  bytes.set(options, 20);
  fields.setUint16(10, internetChecksum(bytes) ^ (header.wrongChecksum ? 0x1 : 0));
  return bytes;
}

function fragmentHeader(next: number, id: number, cut: Cut): Uint8Array {
  const bytes = new Uint8Array(8);
  bytes[0] = next;
  view(bytes).setUint16(2, cut.offset | (cut.more ? 1 : 0));
  view(bytes).setUint32(4, id);
  return bytes;
}

function extensionHeader(extension: Extension | undefined, next: number): Uint8Array {
  const bytes = Uint8Array.from(extension?.bytes ?? []);
  if (bytes.length > 0) bytes[0] = next;
  return bytes;
}

function ipv6Packet(header: IpHeader, payload: Uint8Array, cut: Cut | undefined): Uint8Array {
  const fragment = cut ? fragmentHeader(header.protocol, header.id, cut) : new Uint8Array(0);
  const upper = cut ? protocol.fragment : header.protocol;
  const extension = extensionHeader(header.extension, upper);
  const bytes = new Uint8Array(40);
  const fields = view(bytes);
  fields.setUint32(0, 0x60000000 + header.tos * 0x100000 + header.flowLabel);
  fields.setUint16(4, extension.length + fragment.length + payload.length);
  bytes[6] = header.extension?.type ?? upper;
  bytes[7] = header.ttl;
  bytes.set(header.source.bytes, 8);
  bytes.set(header.destination.bytes, 24);
  return concat(bytes, extension, fragment, payload);
}

export function ipPacket(header: IpHeader, payload: Uint8Array, cut?: Cut): Uint8Array {
  if (header.source.family === 6) return ipv6Packet(header, payload, cut);
  return concat(ipv4Header(header, payload.length, cut), payload);
}

export function ethernetFrame(
  destination: Uint8Array,
  source: Uint8Array,
  type: number,
  payload: Uint8Array,
): Uint8Array {
  return concat(destination, source, Uint8Array.of(type >> 8, type & 0xff), payload);
}
