// SPDX-License-Identifier: Apache-2.0
// IPv4, and IPv6 with its extension headers.
import { ipv4Bytes, ipv6Bytes } from './addresses.ts';
import { concat, header, padded } from './bytes.ts';
import { internetChecksum, onesComplementSum } from './checksum.ts';
import type { Layer, Place } from './layer.ts';
import { etherTypes } from './link-layers.ts';

export const protocols = {
  hopByHop: 0,
  icmp: 1,
  ipip: 4,
  tcp: 6,
  udp: 17,
  ipv6: 41,
  routing: 43,
  fragment: 44,
  gre: 47,
  ah: 51,
  icmpv6: 58,
  destinationOptions: 60,
  sctp: 132,
};

export interface Ipv4Fields {
  source?: string;
  destination?: string;
  ttl?: number;
  tos?: number;
  id?: number;
  /** In bytes, a multiple of eight. */
  fragmentOffset?: number;
  moreFragments?: boolean;
  dontFragment?: boolean;
  /** Padded to a multiple of four bytes. */
  options?: Uint8Array;
  protocol?: number;
  version?: number;
  headerWords?: number;
  totalLength?: number;
  checksum?: number;
}

export function ipv4(fields: Ipv4Fields = {}): Layer {
  const source = ipv4Bytes(fields.source ?? '10.0.1.2');
  const destination = ipv4Bytes(fields.destination ?? '10.0.1.100');
  return {
    etherType: etherTypes.ipv4,
    protocol: protocols.ipip,
    pseudoHeaderSum: (protocol, length) =>
      onesComplementSum(
        concat(
          source,
          destination,
          header(4, view => {
            view.setUint8(1, protocol);
            view.setUint16(2, length);
          }),
        ),
      ),
    encode: (inner, place) => concat(ipv4Header(fields, source, destination, inner.length, place), inner),
  };
}

function ipv4Header(fields: Ipv4Fields, source: Uint8Array, destination: Uint8Array, carried: number, place: Place) {
  const options = padded(fields.options ?? new Uint8Array(0), 4);
  const length = 20 + options.length;
  return header(length, (view, bytes) => {
    view.setUint8(0, ((fields.version ?? 4) << 4) | (fields.headerWords ?? length / 4));
    view.setUint8(1, fields.tos ?? 0);
    view.setUint16(2, fields.totalLength ?? length + carried);
    view.setUint16(4, fields.id ?? 0);
    const flags = (fields.dontFragment ? 0x4000 : 0) | (fields.moreFragments ? 0x2000 : 0);
    view.setUint16(6, flags | ((fields.fragmentOffset ?? 0) / 8));
    view.setUint8(8, fields.ttl ?? 64);
    view.setUint8(9, fields.protocol ?? place.protocol);
    bytes.set(source, 12);
    bytes.set(destination, 16);
    bytes.set(options, 20);
    view.setUint16(10, fields.checksum ?? internetChecksum(bytes));
  });
}

export interface Ipv6Fields {
  source?: string;
  destination?: string;
  hopLimit?: number;
  trafficClass?: number;
  flowLabel?: number;
  nextHeader?: number;
  version?: number;
  payloadLength?: number;
}

export function ipv6(fields: Ipv6Fields = {}): Layer {
  const source = ipv6Bytes(fields.source ?? '2001:db8::2');
  const destination = ipv6Bytes(fields.destination ?? '2001:db8::100');
  return {
    etherType: etherTypes.ipv6,
    protocol: protocols.ipv6,
    pseudoHeaderSum: (protocol, length) =>
      onesComplementSum(
        concat(
          source,
          destination,
          header(8, view => {
            view.setUint32(0, length);
            view.setUint8(7, protocol);
          }),
        ),
      ),
    encode: (inner, place) =>
      concat(
        header(40, (view, bytes) => {
          const first = ((fields.version ?? 6) << 28) | ((fields.trafficClass ?? 0) << 20) | (fields.flowLabel ?? 0);
          view.setUint32(0, first >>> 0);
          view.setUint16(4, fields.payloadLength ?? inner.length);
          view.setUint8(6, fields.nextHeader ?? place.protocol);
          view.setUint8(7, fields.hopLimit ?? 64);
          bytes.set(source, 8);
          bytes.set(destination, 24);
        }),
        inner,
      ),
  };
}

/**
 * An extension header with a length field in units of eight bytes. `body` follows the length field; Pad1 options pad
 * it.
 */
export function extensionHeader(kind: number, body: Uint8Array = new Uint8Array(0)): Layer {
  return {
    protocol: kind,
    encode: (inner, place) => {
      const bytes = padded(concat(Uint8Array.of(place.protocol, 0), body), 8);
      bytes[1] = bytes.length / 8 - 1;
      return concat(bytes, inner);
    },
  };
}

export function hopByHop(options?: Uint8Array): Layer {
  return extensionHeader(protocols.hopByHop, options);
}
export function destinationOptions(options?: Uint8Array): Layer {
  return extensionHeader(protocols.destinationOptions, options);
}
export function routing(data: Uint8Array): Layer {
  return extensionHeader(protocols.routing, data);
}

/** An authentication header (RFC 4302). Its value is twelve zero bytes, because no program here verifies it. */
export function authentication(fields: { spi?: number; sequence?: number } = {}): Layer {
  return {
    protocol: protocols.ah,
    encode: (inner, place) =>
      concat(
        header(24, view => {
          view.setUint8(0, place.protocol);
          view.setUint8(1, 24 / 4 - 2);
          view.setUint32(4, fields.spi ?? 1);
          view.setUint32(8, fields.sequence ?? 1);
        }),
        inner,
      ),
  };
}

export interface FragmentFields {
  /** In bytes, a multiple of eight. */
  offset?: number;
  more?: boolean;
  id?: number;
  /** The protocol, for a later fragment, which does not carry the header of its transport. */
  nextHeader?: number;
}

/** The fragment header of IPv6. */
export function fragment(fields: FragmentFields = {}): Layer {
  return {
    protocol: protocols.fragment,
    encode: (inner, place) =>
      concat(
        header(8, view => {
          view.setUint8(0, fields.nextHeader ?? place.protocol);
          view.setUint16(2, (fields.offset ?? 0) | (fields.more ? 1 : 0));
          view.setUint32(4, fields.id ?? 1);
        }),
        inner,
      ),
  };
}
