// SPDX-License-Identifier: Apache-2.0
// IPv4 and IPv6 addresses and networks, as text and as words. Configuration and models hold addresses as canonical text
// (dotted quad, RFC 5952), so that equal addresses are equal strings.

/** The same values as `wire::Family` in the native module. */
export type Family = 4 | 6;

export interface Address {
  readonly family: Family;
  /** Canonical: dotted quad, or RFC 5952. */
  readonly text: string;
  /** The 32-bit words in network order: one for IPv4, four for IPv6. */
  readonly words: readonly number[];
}

export interface Network {
  readonly family: Family;
  readonly prefix: number;
  /** The first address of the network: its host bits are zero. */
  readonly first: Address;
  /** Canonical: `10.0.0.0/8`. */
  readonly text: string;
}

const quad = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/;

/** Reads a text that is one address without brackets, prefix or zone. Returns undefined for any other text. */
export function parseAddress(text: string): Address | undefined {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text);
}

function parseIpv4(text: string): Address | undefined {
  const word = ipv4Word(text);
  // The pattern matches canonical spellings only, so the text is canonical already.
  return word === undefined ? undefined : { family: 4, text, words: [word] };
}

function ipv4Word(text: string): number | undefined {
  const parts = quad.exec(text);
  if (parts === null) return undefined;
  let word = 0;
  for (let part = 1; part <= 4; part++) {
    const octet = Number(parts[part]);
    if (octet > 255) return undefined;
    word = word * 256 + octet;
  }
  return word;
}

const longestIpv6 = 45; // INET6_ADDRSTRLEN without its NUL
const group = /^[0-9a-fA-F]{1,4}$/;

function parseIpv6(text: string): Address | undefined {
  if (text.length > longestIpv6) return undefined;
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0] ?? '', halves.length === 1);
  const tail = halves.length === 2 ? parseGroups(halves[1] ?? '', true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  // "::" stands for at least one group of zeros.
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...new Array<number>(missing).fill(0), ...tail];
  const words: number[] = [];
  for (let at = 0; at < 8; at += 2) words.push((groups[at] ?? 0) * 65_536 + (groups[at + 1] ?? 0));
  return { family: 6, text: formatIpv6(words), words };
}

function parseGroups(text: string, last: boolean): number[] | undefined {
  if (text === '') return [];
  const parts = text.split(':');
  const groups: number[] = [];
  for (const [index, part] of parts.entries()) {
    if (group.test(part)) {
      groups.push(Number.parseInt(part, 16));
      continue;
    }
    // An IPv4 address may stand for the last two groups.
    const word = last && index === parts.length - 1 ? ipv4Word(part) : undefined;
    if (word === undefined) return undefined;
    groups.push(Math.floor(word / 65_536), word % 65_536);
  }
  return groups;
}

export function addressOf(family: Family, words: readonly number[]): Address {
  return { family, words, text: family === 4 ? formatIpv4(words[0] ?? 0) : formatIpv6(words) };
}

function formatIpv4(word: number): string {
  return `${word >>> 24}.${(word >>> 16) & 255}.${(word >>> 8) & 255}.${word & 255}`;
}

// As RFC 5952 says. IPv4 addresses are embedded as inet_ntop does it: ::ffff:a.b.c.d and ::a.b.c.d.
function formatIpv6(words: readonly number[]): string {
  const [a = 0, b = 0, c = 0, d = 0] = words;
  if (a === 0 && b === 0 && c === 0xffff) return `::ffff:${formatIpv4(d)}`;
  if (a === 0 && b === 0 && c === 0 && d > 0xffff) return `::${formatIpv4(d)}`;
  const groups = words.flatMap(word => [word >>> 16, word & 0xffff]);
  const run = longestZeroRun(groups);
  const hex = (part: number[]) => part.map(value => value.toString(16)).join(':');
  if (run.length < 2) return hex(groups);
  return `${hex(groups.slice(0, run.start))}::${hex(groups.slice(run.start + run.length))}`;
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  for (const [index, value] of groups.entries()) {
    if (value !== 0) start = index + 1;
    else if (index + 1 - start > best.length) best = { start, length: index + 1 - start };
  }
  return best;
}

/**
 * Reads a network such as `10.0.0.0/8`, or an address, which is a network of one address. Returns undefined for any
 * other text, and when bits beyond the prefix are set.
 */
export function parseNetwork(text: string): Network | undefined {
  const interfaceAddress = parseInterfaceAddress(text);
  if (interfaceAddress === undefined) return undefined;
  const network = networkOf(interfaceAddress.address, interfaceAddress.prefix);
  return network.first.text === interfaceAddress.address.text ? network : undefined;
}

/**
 * Reads an address with the prefix of its network, such as `10.0.1.1/24`. Without a prefix, the prefix is the whole
 * address.
 */
export function parseInterfaceAddress(text: string): { address: Address; prefix: number } | undefined {
  const slash = text.indexOf('/');
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash));
  if (address === undefined) return undefined;
  const bits = bitsOf(address.family);
  if (slash < 0) return { address, prefix: bits };
  const prefix = text.slice(slash + 1);
  if (!/^(0|[1-9]\d{0,2})$/.test(prefix) || Number(prefix) > bits) return undefined;
  return { address, prefix: Number(prefix) };
}

export function networkOf(address: Address, prefix: number): Network {
  const masked = address.words.map((word, index) => (word & maskWord(prefix, index)) >>> 0);
  const first = addressOf(address.family, masked);
  return { family: address.family, prefix, first, text: `${first.text}/${prefix}` };
}

export function bitsOf(family: Family): number {
  return family === 4 ? 32 : 128;
}

function maskWord(prefix: number, index: number): number {
  const bits = Math.min(32, Math.max(0, prefix - 32 * index));
  return bits === 0 ? 0 : (0xffff_ffff << (32 - bits)) >>> 0;
}

export function contains(network: Network, address: Address): boolean {
  return (
    network.family === address.family &&
    network.first.words.every(
      (word, index) => ((address.words[index] ?? 0) & maskWord(network.prefix, index)) >>> 0 === word,
    )
  );
}

export function networksOverlap(one: Network, other: Network): boolean {
  return one.prefix <= other.prefix ? contains(one, other.first) : contains(other, one.first);
}

/** The number of addresses; Infinity when a number cannot hold it exactly. */
export function sizeOf(network: Network): number {
  return 2 ** (bitsOf(network.family) - network.prefix);
}

/** 224.0.0.0/4 and ff00::/8. */
export function isMulticast(address: Address): boolean {
  const first = address.words[0] ?? 0;
  return address.family === 4 ? first >>> 28 === 0xe : first >>> 24 === 0xff;
}

/** fe80::/10. */
export function isIpv6LinkLocal(address: Address): boolean {
  return address.family === 6 && (address.words[0] ?? 0) >>> 22 === 0x3fa;
}

export function isUnspecified(address: Address): boolean {
  return address.words.every(word => word === 0);
}

/** 127.0.0.0/8 and ::1. */
export function isLoopback({ family, words }: Address): boolean {
  const [first = 0, ...rest] = words;
  if (family === 4) return first >>> 24 === 127;
  return first === 0 && rest[0] === 0 && rest[1] === 0 && rest[2] === 1;
}

/** Whether IPVS takes the address for a real server: one host has it, on whatever link. */
export function isServerAddress(address: Address): boolean {
  const isNoHosts = isMulticast(address) || isUnspecified(address) || isIpv4Reserved(address);
  return !(isNoHosts || isIpv6LinkLocal(address) || isIpv4Mapped(address));
}

/** ::ffff:0:0/96. */
function isIpv4Mapped({ family, words: [a, b, c] }: Address): boolean {
  return family === 6 && a === 0 && b === 0 && c === 0xffff;
}

/** 0.0.0.0/8, whose addresses no host has, and 255.255.255.255. */
export function isIpv4Reserved(address: Address): boolean {
  const word = address.words[0] ?? 0;
  return address.family === 4 && (word >>> 24 === 0 || word === 0xffff_ffff);
}
