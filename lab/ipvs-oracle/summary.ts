// SPDX-License-Identifier: Apache-2.0
// Prints a frame as one line of the packet language, so that a recording can be read without a decoder. Wrong checksums
// and wrong lengths are marked in capitals.

import {
  crc32c,
  etherType,
  formatAddress,
  formatMac,
  internetChecksum,
  protocol,
  pseudoHeader,
  toHex,
  view,
} from '../../src/wire/ip-packet.ts';
import { sctpChunkNames } from '../../src/wire/named-sctp-chunks.ts';

interface IpView {
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly protocol: number;
  readonly payload: Uint8Array;
  readonly whole: boolean; // not a fragment, nothing cut off
  readonly first: boolean; // begins with the transport header
  readonly notes: string;
}

// The port that the default topology and the scenarios use for GUE.
export const guePort = 6080;

function ipv4View(bytes: Uint8Array): IpView | undefined {
  if (bytes.length < 20) return undefined;
  const fields = view(bytes);
  const headerLength = ((bytes[0] ?? 0) & 15) * 4;
  const total = fields.getUint16(2);
  const flags = fields.getUint16(6);
  const offset = (flags & 0x1fff) * 8;
  const more = (flags & 0x2000) !== 0;
  const notes = [`ttl ${bytes[8]} tos ${bytes[1]} id ${fields.getUint16(4)}${flags & 0x4000 ? ' df' : ''}`];
  if (headerLength > 20) notes.push(`ipopt ${toHex(bytes.subarray(20, headerLength))}`);
  if (offset > 0 || more) notes.push(`fragment ${offset}+${total - headerLength}${more ? ' more' : ''}`);
  if (internetChecksum(bytes.subarray(0, headerLength)) !== 0) notes.push('BADIPSUM');
  if (total !== bytes.length) notes.push(`IPLEN ${total} OF ${bytes.length}`);
  return {
    source: bytes.subarray(12, 16),
    destination: bytes.subarray(16, 20),
    protocol: bytes[9] ?? 0,
    payload: bytes.subarray(headerLength, Math.max(headerLength, total)),
    whole: offset === 0 && !more && total <= bytes.length,
    first: offset === 0,
    notes: notes.join(' '),
  };
}

function ipv6View(bytes: Uint8Array): IpView | undefined {
  if (bytes.length < 40) return undefined;
  const word = view(bytes).getUint32(0);
  const total = 40 + view(bytes).getUint16(4);
  const notes = [`ttl ${bytes[7]} tos ${(word >>> 20) & 0xff} flow ${word & 0xfffff}`];
  let next = bytes[6] ?? 0;
  let at = 40;
  let offset = 0;
  let more = false;
  for (; [0, 43, protocol.fragment, 60].includes(next) && at + 8 <= bytes.length; ) {
    const isFragment = next === protocol.fragment;
    if (isFragment) {
      offset = view(bytes).getUint16(at + 2) & 0xfff8;
      more = (view(bytes).getUint16(at + 2) & 1) !== 0;
      notes.push(`id ${view(bytes).getUint32(at + 4)} fragment ${offset}+${total - at - 8}${more ? ' more' : ''}`);
    } else {
      notes.push(`extension ${next}`);
    }
    next = bytes[at] ?? 0;
    at += isFragment ? 8 : 8 + 8 * (bytes[at + 1] ?? 0);
    if (offset > 0) break;
  }
  if (total !== bytes.length) notes.push(`IPLEN ${total} OF ${bytes.length}`);
  return {
    source: bytes.subarray(8, 24),
    destination: bytes.subarray(24, 40),
    protocol: next,
    payload: bytes.subarray(at, Math.max(at, total)),
    whole: offset === 0 && !more && total <= bytes.length,
    first: offset === 0,
    notes: notes.join(' '),
  };
}

function endpoint(address: Uint8Array, port: number): string {
  return address.length === 4 ? `${formatAddress(address)}:${port}` : `[${formatAddress(address)}]:${port}`;
}

function sumIsRight(ip: IpView): boolean {
  const pseudo = pseudoHeader(ip.source, ip.destination, ip.protocol, ip.payload.length);
  return internetChecksum(pseudo, ip.payload) === 0;
}

function tcpText(ip: IpView): string {
  const fields = view(ip.payload);
  if (ip.payload.length < 14) return '';
  const bits = fields.getUint8(13);
  const flags = [...'FSRPAUEC'].filter((_, i) => bits & (1 << i)).join('') || 'none';
  const words = [flags, `seq ${fields.getUint32(4)}`];
  if (bits & 16) words.push(`ack ${fields.getUint32(8)}`);
  if (ip.payload.length < 20) return words.join(' ');
  const headerLength = (fields.getUint8(12) >> 4) * 4;
  words.push(`win ${fields.getUint16(14)}`);
  if (headerLength > 20) words.push(`opt ${toHex(ip.payload.subarray(20, headerLength))}`);
  if (ip.payload.length > headerLength) words.push(`len ${ip.payload.length - headerLength}`);
  return words.join(' ');
}

function sctpText(ip: IpView): string {
  const names: string[] = [];
  for (let at = 12; at + 4 <= ip.payload.length; ) {
    const length = view(ip.payload).getUint16(at + 2);
    names.push(sctpChunkNames.get(ip.payload[at] ?? 0) ?? `CHUNK_${ip.payload[at]}`);
    at += Math.max(4, (length + 3) & ~3);
  }
  const copy = Uint8Array.from(ip.payload);
  if (copy.length < 12) return '';
  const said = view(copy).getUint32(8, true);
  copy.fill(0, 8, 12);
  return `${names.join(' ')} vtag ${view(copy).getUint32(4)}${ip.whole && crc32c(copy) !== said ? ' BADSUM' : ''}`;
}

function ported(name: string, ip: IpView, text: string, checked: boolean): string {
  const fields = view(ip.payload);
  const head = `${name} ${endpoint(ip.source, fields.getUint16(0))} ${endpoint(ip.destination, fields.getUint16(2))}`;
  const sum = checked && ip.whole && !sumIsRight(ip) ? ' BADSUM' : '';
  return `${head} ${text}${sum} ${ip.notes}`;
}

const icmpNames: Record<4 | 6, Record<number, string>> = {
  4: { 0: 'reply', 3: 'unreachable', 4: 'quench', 5: 'redirect', 8: 'echo', 11: 'time-exceeded', 12: 'parameter' },
  6: { 1: 'unreachable', 2: 'too-big', 3: 'time-exceeded', 4: 'parameter', 128: 'echo', 129: 'reply' },
};

function icmpText(ip: IpView): string {
  const family = ip.source.length === 4 ? 4 : 6;
  const [type = 0, code = 0] = ip.payload;
  const name = icmpNames[family][type] ?? `type ${type}`;
  const head = `icmp ${formatAddress(ip.source)} ${formatAddress(ip.destination)} ${name}`;
  const right = family === 4 ? internetChecksum(ip.payload) === 0 : sumIsRight(ip);
  const sum = ip.whole && !right ? ' BADSUM' : '';
  if (ip.payload.length < 8) return `${head}${sum} ${ip.notes}`;
  if (name === 'echo' || name === 'reply') {
    const fields = view(ip.payload);
    return `${head} id ${fields.getUint16(4)} seq ${fields.getUint16(6)} len ${ip.payload.length - 8}${sum} ${ip.notes}`;
  }
  const rest = `code ${code} rest 0x${toHex(ip.payload.subarray(4, 8))}`;
  const embedded = ip.payload.subarray(8);
  const about = summarizeIp(embedded, family).replace(/ BADSUM/g, '');
  return `${head} ${rest}${sum} ${ip.notes} about (${about.replace(/IPLEN (\d+) OF (\d+)/, 'keep $2 of $1')})`;
}

function greText(ip: IpView): string {
  const flags = view(ip.payload).getUint16(0);
  const type = view(ip.payload).getUint16(2);
  const headerLength = flags & 0x8000 ? 8 : 4;
  const right = !(flags & 0x8000) || !ip.whole || internetChecksum(ip.payload) === 0;
  const head = `gre ${formatAddress(ip.source)} ${formatAddress(ip.destination)} flags 0x${flags.toString(16)}`;
  const inner = summarizeIp(ip.payload.subarray(headerLength), type === etherType.ipv6 ? 6 : 4);
  return `${head}${right ? '' : ' BADSUM'} ${ip.notes} carries (${inner})`;
}

function udpText(ip: IpView): string {
  const fields = view(ip.payload);
  const unsummed = fields.getUint16(6) === 0;
  const text = `${unsummed ? 'nosum ' : ''}len ${fields.getUint16(4) - 8}`;
  const summary = ported('udp', ip, text, !unsummed);
  if (fields.getUint16(2) !== guePort || ip.payload.length < 12) return summary;
  const gueLength = 4 + ((ip.payload[8] ?? 0) & 0x1f) * 4;
  const inner = summarizeIp(ip.payload.subarray(8 + gueLength), ip.payload[9] === protocol.ipv6 ? 6 : 4);
  return `${summary} gue ${toHex(ip.payload.subarray(8, 8 + gueLength))} carries (${inner})`;
}

function transportText(ip: IpView): string {
  const plain = `ip ${formatAddress(ip.source)} ${formatAddress(ip.destination)} ${ip.protocol}`;
  if (!ip.first || ip.payload.length < 8) return `${plain} len ${ip.payload.length} ${ip.notes}`;
  switch (ip.protocol) {
    case protocol.tcp:
      return ported('tcp', ip, tcpText(ip), true);
    case protocol.udp:
      return udpText(ip);
    case protocol.sctp:
      return ported('sctp', ip, sctpText(ip), false);
    case protocol.icmp:
    case protocol.icmpv6:
      return icmpText(ip);
    case protocol.gre:
      return greText(ip);
    case protocol.ipip:
    case protocol.ipv6: {
      const inner = summarizeIp(ip.payload, ip.protocol === protocol.ipip ? 4 : 6);
      return `ip ${formatAddress(ip.source)} ${formatAddress(ip.destination)} ${ip.notes} carries (${inner})`;
    }
  }
  return `${plain} len ${ip.payload.length} ${ip.notes}`;
}

function summarizeIp(bytes: Uint8Array, family: 4 | 6): string {
  const ip = family === 4 ? ipv4View(bytes) : ipv6View(bytes);
  return ip ? transportText(ip) : `${bytes.length} bytes`;
}

export function summarize(frame: Uint8Array): string {
  const type = view(frame).getUint16(12);
  const macs = `${formatMac(frame.subarray(6, 12))}>${formatMac(frame.subarray(0, 6))}`;
  if (type === etherType.ipv4) return `${summarizeIp(frame.subarray(14), 4)} ${macs}`;
  if (type === etherType.ipv6) return `${summarizeIp(frame.subarray(14), 6)} ${macs}`;
  if (type === etherType.arp && frame.length >= 42) {
    const operation = view(frame).getUint16(20) === 1 ? 'request' : 'reply';
    return `arp ${operation} ${formatAddress(frame.subarray(28, 32))} ${formatAddress(frame.subarray(38, 42))} ${macs}`;
  }
  return `ethertype 0x${type.toString(16)} len ${frame.length - 14} ${macs}`;
}
