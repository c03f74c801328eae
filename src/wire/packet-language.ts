// SPDX-License-Identifier: Apache-2.0
// The packet language of scenarios and of `sluice explain`: a line of words describes an IP packet, or the fragments of one.
//
//   tcp  SRC:PORT DST:PORT FLAGS [seq N] [ack N] [win N] [urg N] [mss N] [sackok] [ws N] [ts VALUE ECHO] [opt HEX] [badsum]
//   udp  SRC:PORT DST:PORT [nosum] [badsum]
//   sctp SRC:PORT DST:PORT CHUNK… [vtag N] [badsum]
//   icmp SRC DST TYPE… [badsum]         ICMPv6 when the addresses are IPv6
//   ip   SRC DST NUMBER                 any other protocol
//   raw  HEX                            a whole frame
// FLAGS: letters of FSRPAUEC, or "none". IPv6 addresses with a port are in brackets. Payload of any: len N, text "…", hex ….
// ICMP types: echo|reply [id N] [seq N]; unreachable WHAT [mtu N] about (…); time-exceeded [reassembly] about (…);
//   redirect GATEWAY about (…); too-big mtu N about (…); parameter [pointer N] about (…); quench about (…);
//   type N code N [rest N] [about (…)].
// `about (PACKET)` embeds a described packet in an ICMP message, `carries (PACKET)` in any other (a tunnel's); `keep N` keeps
// only the first N bytes of it.
// IP: ttl N, tos N, id N, df, flow N, ipopt HEX (IPv4), extension TYPE HEX (IPv6), badipsum.
// Fragments: fragments SIZE [order N…] sends the pieces of at most SIZE bytes (numbers from 1); cut FROM-TO sends one piece.
// At the end: trim N drops the last N bytes of every packet; eth DESTINATION replaces the destination MAC address.

import {
  type Address,
  type Cut,
  concat,
  crc32c,
  type IpHeader,
  internetChecksum,
  ipPacket,
  parseAddress,
  parseMac,
  protocol,
  pseudoHeader,
  view,
} from './ip-packet.ts';
import { sctpChunk } from './named-sctp-chunks.ts';
import type { Words } from './words.ts';

export interface Described {
  readonly source: Address | undefined;
  readonly packets: readonly Uint8Array[]; // IP packets; one whole frame when `frame` is true
  readonly frame: boolean;
  readonly family: 4 | 6;
  readonly destinationMac: Uint8Array | undefined;
}

interface Endpoint {
  readonly address: Address;
  readonly port: number;
}

// The values of the words that any packet may have, as far as they were read.
interface Draft {
  readonly header: IpHeader;
  payload: Uint8Array;
  wrongSum: boolean;
  cuts: readonly Cut[];
  ranges: readonly (readonly [number, number])[] | undefined;
  fragmentSize: number;
  order: number[];
  trim: number;
  destinationMac: Uint8Array | undefined;
}

const byte = 0xff;
const uint16 = 0xffff;
const uint32 = 0xffffffff;

function takeAddress(words: Words, what: string): Address {
  const text = words.take(what);
  const address = parseAddress(text);
  if (!address) throw words.complain(`${what} must be an IPv4 or IPv6 address, not "${text}"`);
  return address;
}

function takeEndpoint(words: Words, what: string): Endpoint {
  const text = words.take(what);
  const match = /^(?:\[(.+)\]|([^:]+)):(\d+)$/.exec(text);
  const address = parseAddress(match?.[1] ?? match?.[2] ?? '');
  const port = Number(match?.[3]);
  if (!address || !(port <= uint16)) {
    throw words.complain(`${what} must be ADDRESS:PORT, with an IPv6 address in brackets, not "${text}"`);
  }
  return { address, port };
}

function draft(words: Words, source: Address, destination: Address, proto: number): Draft {
  if (source.family !== destination.family) throw words.complain('source and destination are of different families');
  const header: IpHeader = {
    source,
    destination,
    protocol: proto,
    ttl: 64,
    tos: 0,
    id: 1,
    dontFragment: false,
    options: new Uint8Array(0),
    extension: undefined,
    flowLabel: 0,
    wrongChecksum: false,
  };
  return {
    header,
    payload: new Uint8Array(0),
    wrongSum: false,
    cuts: [],
    ranges: undefined,
    fragmentSize: 0,
    order: [],
    trim: 0,
    destinationMac: undefined,
  };
}

// Every byte of this payload differs from its neighbours, so that a test notices bytes that were shifted or swapped.
function filler(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => 0x61 + (i % 23));
}

type Meaning = (words: Words, packet: Draft) => void;

const commonMeanings: Record<string, Meaning> = {
  ttl: (words, { header }) => {
    header.ttl = words.takeInteger('ttl', 0, byte);
  },
  tos: (words, { header }) => {
    header.tos = words.takeInteger('tos', 0, byte);
  },
  id: (words, { header }) => {
    header.id = words.takeInteger('id', 0, header.source.family === 4 ? uint16 : uint32);
  },
  df: (_, { header }) => {
    header.dontFragment = true;
  },
  flow: (words, { header }) => {
    header.flowLabel = words.takeInteger('flow', 0, 0xfffff);
  },
  ipopt: (words, { header }) => {
    header.options = words.takeHex('IP options');
  },
  extension: (words, { header }) => {
    const type = words.takeInteger('type of the extension header', 0, byte);
    header.extension = { type, bytes: words.takeHex('extension header') };
  },
  badipsum: (_, { header }) => {
    header.wrongChecksum = true;
  },
  badsum: (_, packet) => {
    packet.wrongSum = true;
  },
  len: (words, packet) => {
    packet.payload = filler(words.takeInteger('len', 0, uint16));
  },
  text: (words, packet) => {
    packet.payload = Uint8Array.from(Buffer.from(words.takeText('text')));
  },
  hex: (words, packet) => {
    packet.payload = words.takeHex('hex');
  },
  carries: (words, packet) => {
    packet.payload = takeEmbedded(words);
  },
  keep: (words, packet) => {
    packet.payload = packet.payload.subarray(0, words.takeInteger('keep', 0, uint16));
  },
  fragments: (words, packet) => {
    packet.fragmentSize = words.takeInteger('size of fragments', 8, uint16 - 7) & ~7;
  },
  order: (words, packet) => {
    while (/^\d+$/.test(words.peek() ?? '')) packet.order.push(words.takeInteger('number of a fragment', 1, byte));
  },
  cut: (words, packet) => {
    const text = words.take('range of bytes');
    const match = /^(\d+)-(\d+)$/.exec(text);
    if (!match) throw words.complain(`cut needs FROM-TO in bytes, not "${text}"`);
    packet.ranges = [[Number(match[1]), Number(match[2])]];
  },
  trim: (words, packet) => {
    packet.trim = words.takeInteger('trim', 1, uint16);
  },
  eth: (words, packet) => {
    const text = words.take('MAC address');
    packet.destinationMac = parseMac(text);
    if (!packet.destinationMac) throw words.complain(`"${text}" is no MAC address`);
  },
};

function takeOptions(words: Words, packet: Draft, own: Record<string, Meaning>): void {
  while (!words.done && words.peek() !== ')') {
    const name = words.take('option');
    const meaning = own[name] ?? commonMeanings[name];
    if (!meaning) throw words.complain(`"${name}" is not known here`);
    meaning(words, packet);
  }
}

function ranges(packet: Draft, length: number): readonly (readonly [number, number])[] | undefined {
  if (packet.ranges || packet.fragmentSize === 0) return packet.ranges;
  const pieces: [number, number][] = [];
  for (let from = 0; from < length; from += packet.fragmentSize) {
    pieces.push([from, Math.min(from + packet.fragmentSize, length)]);
  }
  if (packet.order.length === 0) return pieces;
  return packet.order.flatMap(number => {
    const piece = pieces[number - 1];
    return piece ? [piece] : [];
  });
}

function finish(packet: Draft, body: Uint8Array): Described {
  const pieces = ranges(packet, body.length);
  const whole = pieces
    ? pieces.map(([from, to]) =>
        ipPacket(packet.header, body.subarray(from, to), { offset: from, more: to < body.length }),
      )
    : [ipPacket(packet.header, body)];
  return {
    source: packet.header.source,
    packets: whole.map(bytes => bytes.subarray(0, bytes.length - packet.trim)),
    frame: false,
    family: packet.header.source.family,
    destinationMac: packet.destinationMac,
  };
}

function transportSum({ header, wrongSum }: Draft, segment: Uint8Array): number {
  const pseudo = pseudoHeader(header.source.bytes, header.destination.bytes, header.protocol, segment.length);
  return internetChecksum(pseudo, segment) ^ (wrongSum ? 1 : 0);
}

const tcpFlagBits: Record<string, number> = { F: 1, S: 2, R: 4, P: 8, A: 16, U: 32, E: 64, C: 128 };

function takeTcpFlags(words: Words): number {
  const text = words.take('TCP flags');
  if (text === 'none') return 0;
  let bits = 0;
  for (const letter of text) {
    const bit = tcpFlagBits[letter];
    if (bit === undefined) throw words.complain(`TCP flags are letters of FSRPAUEC or "none", not "${text}"`);
    bits |= bit;
  }
  return bits;
}

function takeTcp(words: Words): Described {
  const source = takeEndpoint(words, 'source');
  const destination = takeEndpoint(words, 'destination');
  const flags = takeTcpFlags(words);
  const packet = draft(words, source.address, destination.address, protocol.tcp);
  const fixed = { seq: 1000, ack: 0, win: 8192, urg: 0 };
  const options: number[] = [];
  const number = (name: keyof typeof fixed, highest: number): Meaning => {
    return from => {
      fixed[name] = from.takeInteger(name, 0, highest);
    };
  };
  takeOptions(words, packet, {
    seq: number('seq', uint32),
    ack: number('ack', uint32),
    win: number('win', uint16),
    urg: number('urg', uint16),
    mss: from => {
      const mss = from.takeInteger('mss', 0, uint16);
      options.push(2, 4, mss >> 8, mss & byte);
    },
    sackok: () => options.push(4, 2),
    ws: from => options.push(3, 3, from.takeInteger('ws', 0, byte)),
    ts: from => {
      const values = new Uint8Array(8);
      view(values).setUint32(0, from.takeInteger('timestamp', 0, uint32));
      view(values).setUint32(4, from.takeInteger('timestamp echo', 0, uint32));
      options.push(8, 10, ...values);
    },
    opt: from => options.push(...from.takeHex('TCP options')),
  });
  while (options.length % 4 !== 0) options.push(1);
  const header = new Uint8Array(20 + options.length);
  const fields = view(header);
  fields.setUint16(0, source.port);
  fields.setUint16(2, destination.port);
  fields.setUint32(4, fixed.seq);
  fields.setUint32(8, fixed.ack);
  header[12] = (header.length / 4) << 4;
  header[13] = flags;
  fields.setUint16(14, fixed.win);
  fields.setUint16(18, fixed.urg);
  header.set(options, 20);
  const segment = concat(header, packet.payload);
  view(segment).setUint16(16, transportSum(packet, segment));
  return finish(packet, segment);
}

function takeUdp(words: Words): Described {
  const source = takeEndpoint(words, 'source');
  const destination = takeEndpoint(words, 'destination');
  const packet = draft(words, source.address, destination.address, protocol.udp);
  let summed = true;
  takeOptions(words, packet, {
    nosum: () => {
      summed = false;
    },
  });
  const header = new Uint8Array(8);
  const fields = view(header);
  fields.setUint16(0, source.port);
  fields.setUint16(2, destination.port);
  fields.setUint16(4, 8 + packet.payload.length);
  const datagram = concat(header, packet.payload);
  // A checksum of zero is sent as all ones, because zero means "not computed" (RFC 768).
  if (summed) view(datagram).setUint16(6, transportSum(packet, datagram) || uint16);
  return finish(packet, datagram);
}

function takeSctp(words: Words): Described {
  const source = takeEndpoint(words, 'source');
  const destination = takeEndpoint(words, 'destination');
  const packet = draft(words, source.address, destination.address, protocol.sctp);
  const chunks: Uint8Array[] = [];
  while (/^[A-Z_]+$/.test(words.peek() ?? '')) {
    const name = words.take('chunk');
    const chunk = sctpChunk(name);
    if (!chunk) throw words.complain(`"${name}" is no SCTP chunk that is known here`);
    chunks.push(chunk);
  }
  let vtag = 1;
  takeOptions(words, packet, {
    vtag: from => {
      vtag = from.takeInteger('vtag', 0, uint32);
    },
  });
  const header = new Uint8Array(12);
  view(header).setUint16(0, source.port);
  view(header).setUint16(2, destination.port);
  view(header).setUint32(4, vtag);
  const segment = concat(header, ...chunks, packet.payload);
  view(segment).setUint32(8, crc32c(segment) ^ (packet.wrongSum ? 1 : 0), true);
  return finish(packet, segment);
}

interface IcmpMessage {
  type: number;
  code: number;
  rest: Uint8Array; // the four bytes after the checksum
}

const unreachableCodes = {
  4: { net: 0, host: 1, protocol: 2, port: 3, frag: 4, 'source-route': 5, prohibited: 13 },
  6: { route: 0, prohibited: 1, scope: 2, host: 3, port: 4 },
} as const;

function takeUnreachable(words: Words, family: 4 | 6): number {
  const codes: Record<string, number> = unreachableCodes[family];
  const what = words.take('what is unreachable');
  const code = codes[what];
  if (code === undefined) throw words.complain(`"${what}" is none of ${Object.keys(codes).join(', ')}`);
  return code;
}

function icmpType(words: Words, family: 4 | 6): IcmpMessage {
  const name = words.take('ICMP type');
  const v4 = family === 4;
  const rest = new Uint8Array(4);
  switch (name) {
    case 'echo':
      return { type: v4 ? 8 : 128, code: 0, rest };
    case 'reply':
      return { type: v4 ? 0 : 129, code: 0, rest };
    case 'unreachable':
      return { type: v4 ? 3 : 1, code: takeUnreachable(words, family), rest };
    case 'time-exceeded':
      return { type: v4 ? 11 : 3, code: words.takeIf('reassembly') ? 1 : 0, rest };
    case 'parameter':
      return { type: v4 ? 12 : 4, code: 0, rest };
    case 'type':
      return icmpNumbers(words, rest);
  }
  if (v4 && name === 'redirect') return { type: 5, code: 1, rest: takeAddress(words, 'gateway').bytes };
  if (v4 && name === 'quench') return { type: 4, code: 0, rest };
  if (!v4 && name === 'too-big') return { type: 2, code: 0, rest };
  throw words.complain(`"${name}" is no ICMP${v4 ? '' : 'v6'} type that is known here`);
}

function icmpNumbers(words: Words, rest: Uint8Array): IcmpMessage {
  const type = words.takeInteger('ICMP type', 0, byte);
  words.expect('code');
  return { type, code: words.takeInteger('ICMP code', 0, byte), rest };
}

function takeEmbedded(words: Words): Uint8Array {
  words.expect('(');
  const about = takePacket(words).packets[0];
  words.expect(')');
  if (!about) throw words.complain('the packet in parentheses is empty');
  return about;
}

function takeIcmp(words: Words): Described {
  const source = takeAddress(words, 'source');
  const destination = takeAddress(words, 'destination');
  const v4 = source.family === 4;
  const packet = draft(words, source, destination, v4 ? protocol.icmp : protocol.icmpv6);
  const { type, code, rest } = icmpType(words, source.family);
  const isEcho = v4 ? type === 8 || type === 0 : type === 128 || type === 129;
  const fields = view(rest);
  takeOptions(words, packet, {
    ...(isEcho && { id: (from: Words) => fields.setUint16(0, from.takeInteger('id', 0, uint16)) }),
    seq: from => fields.setUint16(2, from.takeInteger('seq', 0, uint16)),
    mtu: from =>
      v4
        ? fields.setUint16(2, from.takeInteger('mtu', 0, uint16))
        : fields.setUint32(0, from.takeInteger('mtu', 0, uint32)),
    pointer: from =>
      v4
        ? fields.setUint8(0, from.takeInteger('pointer', 0, byte))
        : fields.setUint32(0, from.takeInteger('pointer', 0, uint32)),
    rest: from => fields.setUint32(0, from.takeInteger('rest', 0, uint32)),
    about: from => {
      packet.payload = takeEmbedded(from);
    },
  });
  const message = concat(Uint8Array.of(type, code, 0, 0), rest, packet.payload);
  const sum = v4 ? internetChecksum(message) ^ (packet.wrongSum ? 1 : 0) : transportSum(packet, message);
  view(message).setUint16(2, sum);
  return finish(packet, message);
}

function takeOther(words: Words): Described {
  const source = takeAddress(words, 'source');
  const destination = takeAddress(words, 'destination');
  const packet = draft(words, source, destination, words.takeInteger('protocol', 0, byte));
  takeOptions(words, packet, {});
  return finish(packet, packet.payload);
}

/** A packet in a packet in a packet, and so on: more than any tunnel or ICMP message has. */
const deepest = 16;

export function takePacket(words: Words): Described {
  words.packets++;
  if (words.packets > deepest) throw words.complain(`at most ${deepest} packets may stand in one another`);
  const kind = words.take('kind of packet');
  switch (kind) {
    case 'tcp':
      return takeTcp(words);
    case 'udp':
      return takeUdp(words);
    case 'sctp':
      return takeSctp(words);
    case 'icmp':
      return takeIcmp(words);
    case 'ip':
      return takeOther(words);
    case 'raw':
      return {
        source: undefined,
        packets: [words.takeHex('frame')],
        frame: true,
        family: 4,
        destinationMac: undefined,
      };
  }
  throw words.complain(`a packet begins with tcp, udp, sctp, icmp, ip or raw, not "${kind}"`);
}
