// SPDX-License-Identifier: Apache-2.0
// TCP, UDP and SCTP.
import { concat, header, padded, viewOf } from './bytes.ts';
import { crc32c, internetChecksum } from './checksum.ts';
import type { Layer, Place } from './layer.ts';
import { protocols } from './network-layers.ts';

/**
 * 'partial': the folded sum of the pseudo-header only. A virtual network card leaves the rest to the device that sends.
 */
export type TransportChecksum = number | 'partial';

// `bytes` is the whole message. Its checksum field is zero.
export function fillChecksum(
  bytes: Uint8Array,
  at: number,
  protocol: number,
  place: Place,
  given: TransportChecksum | undefined,
): void {
  const pseudo = place.pseudoHeaderSum(protocol, bytes.length);
  const view = viewOf(bytes);
  const computed = internetChecksum(bytes, pseudo);
  // RFC 768: zero means that there is no checksum, so a computed zero is sent as all ones.
  const right = protocol === protocols.udp && computed === 0 ? 0xffff : computed;
  view.setUint16(at, given === 'partial' ? pseudo : (given ?? right));
}

const tcpFlags = { F: 0x01, S: 0x02, R: 0x04, P: 0x08, '.': 0x10, A: 0x10, U: 0x20, E: 0x40, W: 0x80 };

/** Reads flags in the letters of tcpdump, such as "S.". The acknowledgement is a dot or an A. */
export function tcpFlagBits(letters: string): number {
  return [...letters].reduce((bits, letter) => {
    const bit = tcpFlags[letter as keyof typeof tcpFlags];
    if (bit === undefined) throw new TypeError(`no TCP flag: "${letter}" in "${letters}"`);
    return bits | bit;
  }, 0);
}

export interface TcpFields {
  sourcePort?: number;
  destinationPort?: number;
  sequence?: number;
  acknowledgement?: number;
  /** The flags in the letters of tcpdump. */
  flags?: string;
  window?: number;
  urgentPointer?: number;
  /** Padded to a multiple of four bytes. */
  options?: Uint8Array;
  headerWords?: number;
  checksum?: TransportChecksum;
}

export function tcp(fields: TcpFields = {}): Layer {
  return {
    protocol: protocols.tcp,
    encode: (inner, place) => {
      const options = padded(fields.options ?? new Uint8Array(0), 4);
      const segment = concat(
        header(20, view => {
          view.setUint16(0, fields.sourcePort ?? 8080);
          view.setUint16(2, fields.destinationPort ?? 80);
          view.setUint32(4, fields.sequence ?? 1);
          view.setUint32(8, fields.acknowledgement ?? 0);
          view.setUint8(12, (fields.headerWords ?? (20 + options.length) / 4) << 4);
          view.setUint8(13, tcpFlagBits(fields.flags ?? 'S'));
          view.setUint16(14, fields.window ?? 64240);
          view.setUint16(18, fields.urgentPointer ?? 0);
        }),
        options,
        inner,
      );
      fillChecksum(segment, 16, protocols.tcp, place, fields.checksum);
      return segment;
    },
  };
}

export const tcpOptions = {
  mss: (value: number) => Uint8Array.of(2, 4, value >> 8, value & 0xff),
  windowScale: (shift: number) => Uint8Array.of(3, 3, shift),
  sackPermitted: () => Uint8Array.of(4, 2),
  timestamp: (value: number, echo: number) =>
    header(10, view => {
      view.setUint8(0, 8);
      view.setUint8(1, 10);
      view.setUint32(2, value);
      view.setUint32(6, echo);
    }),
  noOperation: () => Uint8Array.of(1),
};

export interface UdpFields {
  sourcePort?: number;
  destinationPort?: number;
  length?: number;
  /** 0 for no checksum, which IPv4 allows. */
  checksum?: TransportChecksum;
}

export function udp(fields: UdpFields = {}): Layer {
  return {
    protocol: protocols.udp,
    encode: (inner, place) => {
      const datagram = concat(
        header(8, view => {
          view.setUint16(0, fields.sourcePort ?? 5000);
          view.setUint16(2, fields.destinationPort ?? 5001);
          view.setUint16(4, fields.length ?? 8 + inner.length);
        }),
        inner,
      );
      fillChecksum(datagram, 6, protocols.udp, place, fields.checksum);
      return datagram;
    },
  };
}

export interface SctpFields {
  sourcePort?: number;
  destinationPort?: number;
  verificationTag?: number;
  /** The four bytes of the field, read as a big-endian number. */
  checksum?: number;
}

export function sctp(fields: SctpFields = {}): Layer {
  return {
    protocol: protocols.sctp,
    encode: inner => {
      const packet = concat(
        header(12, view => {
          view.setUint16(0, fields.sourcePort ?? 5000);
          view.setUint16(2, fields.destinationPort ?? 5001);
          view.setUint32(4, fields.verificationTag ?? 1);
        }),
        inner,
      );
      const view = viewOf(packet);
      // RFC 9260 appendix A: least significant byte first.
      view.setUint32(8, crc32c(packet), true);
      if (fields.checksum !== undefined) view.setUint32(8, fields.checksum);
      return packet;
    },
  };
}

export const sctpChunkTypes = {
  data: 0,
  init: 1,
  initAck: 2,
  sack: 3,
  heartbeat: 4,
  heartbeatAck: 5,
  abort: 6,
  shutdown: 7,
  shutdownAck: 8,
  error: 9,
  cookieEcho: 10,
  cookieAck: 11,
  shutdownComplete: 14,
};

export interface SctpChunkFields {
  type: keyof typeof sctpChunkTypes | number;
  flags?: number;
  value?: Uint8Array;
  length?: number;
}

export function sctpChunk(fields: SctpChunkFields): Layer {
  const { type, flags = 0, value = new Uint8Array(0) } = fields;
  return {
    encode: inner => {
      const head = header(4, view => {
        view.setUint8(0, typeof type === 'number' ? type : sctpChunkTypes[type]);
        view.setUint8(1, flags);
        view.setUint16(2, fields.length ?? 4 + value.length);
      });
      return concat(padded(concat(head, value), 4), inner);
    },
  };
}

export interface SctpInitFields {
  type?: 'init' | 'initAck';
  tag?: number;
  window?: number;
  outboundStreams?: number;
  inboundStreams?: number;
  sequence?: number;
}

export function sctpInit(fields: SctpInitFields = {}): Layer {
  const value = header(16, view => {
    view.setUint32(0, fields.tag ?? 1);
    view.setUint32(4, fields.window ?? 65536);
    view.setUint16(8, fields.outboundStreams ?? 10);
    view.setUint16(10, fields.inboundStreams ?? 10);
    view.setUint32(12, fields.sequence ?? 1);
  });
  return sctpChunk({ type: fields.type ?? 'init', value });
}
