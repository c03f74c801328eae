// SPDX-License-Identifier: Apache-2.0
// ICMP, ICMPv6 and neighbour discovery.
import { ipv6Bytes, macBytes } from './addresses.ts';
import { concat, header, viewOf } from './bytes.ts';
import { internetChecksum } from './checksum.ts';
import type { Layer } from './layer.ts';
import { protocols } from './network-layers.ts';
import { fillChecksum } from './transport-layers.ts';

export interface IcmpFields {
  type: number;
  code?: number;
  /** The second four bytes of the header: id and sequence, MTU, pointer or gateway. */
  rest?: number;
  checksum?: number;
}

export function icmp(fields: IcmpFields): Layer {
  return {
    protocol: protocols.icmp,
    encode: inner => {
      const message = concat(icmpHeader(fields), inner);
      viewOf(message).setUint16(2, fields.checksum ?? internetChecksum(message));
      return message;
    },
  };
}

export function icmpv6(fields: IcmpFields): Layer {
  return {
    protocol: protocols.icmpv6,
    encode: (inner, place) => {
      const message = concat(icmpHeader(fields), inner);
      fillChecksum(message, 2, protocols.icmpv6, place, fields.checksum);
      return message;
    },
  };
}

function icmpHeader(fields: IcmpFields): Uint8Array {
  return header(8, view => {
    view.setUint8(0, fields.type);
    view.setUint8(1, fields.code ?? 0);
    view.setUint32(4, fields.rest ?? 0);
  });
}

export interface EchoFields {
  id?: number;
  sequence?: number;
}

const echoRest = ({ id = 1, sequence = 1 }: EchoFields) => ((id << 16) | sequence) >>> 0;

export const echoRequest = (fields: EchoFields = {}) => icmp({ type: 8, rest: echoRest(fields) });
export const echoReply = (fields: EchoFields = {}) => icmp({ type: 0, rest: echoRest(fields) });
export const echoRequest6 = (fields: EchoFields = {}) => icmpv6({ type: 128, rest: echoRest(fields) });
export const echoReply6 = (fields: EchoFields = {}) => icmpv6({ type: 129, rest: echoRest(fields) });

// An ICMP error quotes the packet that caused it. The layers after the error are that packet, or quote() gives its
// beginning.
export const unreachable = (code: number, mtu = 0) => icmp({ type: 3, code, rest: mtu });
export const timeExceeded = (code = 0) => icmp({ type: 11, code });
export const unreachable6 = (code: number) => icmpv6({ type: 1, code });
export const packetTooBig = (mtu: number) => icmpv6({ type: 2, rest: mtu });
export const timeExceeded6 = (code = 0) => icmpv6({ type: 3, code });

const linkHeaderLength = 14;
const quotedTransportLength = 8; // RFC 792

/**
 * The part of an untagged Ethernet frame that an ICMP error quotes: the IPv4 header and eight bytes, or `limit` bytes.
 */
export function quote(frame: Uint8Array, limit?: number): Uint8Array {
  const headerLength = ((frame[linkHeaderLength] ?? 0) & 0x0f) * 4;
  return frame.slice(linkHeaderLength, linkHeaderLength + (limit ?? headerLength + quotedTransportLength));
}

export interface NeighbourFields {
  target: string;
  /** The address of the sender in a solicitation, of the target in an advertisement. Undefined: no such option. */
  linkAddress?: string;
  /** The flags of an advertisement: router, solicited, override. */
  flags?: { router?: boolean; solicited?: boolean; override?: boolean };
}

export function neighbourSolicitation(fields: NeighbourFields): Layer {
  return neighbour(135, 1, fields);
}
export function neighbourAdvertisement(fields: NeighbourFields): Layer {
  return neighbour(136, 2, fields);
}

function neighbour(type: number, option: number, { target, linkAddress, flags = {} }: NeighbourFields): Layer {
  const bits = (flags.router ? 0x80 : 0) | (flags.solicited ? 0x40 : 0) | (flags.override ? 0x20 : 0);
  const message = icmpv6({ type, rest: (bits << 24) >>> 0 });
  const options =
    linkAddress === undefined ? new Uint8Array(0) : concat(Uint8Array.of(option, 1), macBytes(linkAddress));
  return { ...message, encode: (inner, place) => message.encode(concat(ipv6Bytes(target), options, inner), place) };
}
