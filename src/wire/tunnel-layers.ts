// SPDX-License-Identifier: Apache-2.0
// GRE and GUE. IP in IP needs no layer of its own: ipv4() or ipv6() inside ipv4() or ipv6().
import { concat, header, viewOf } from './bytes.ts';
import { internetChecksum } from './checksum.ts';
import type { Layer } from './layer.ts';
import { protocols } from './network-layers.ts';

export interface GreFields {
  checksum?: boolean;
  key?: number;
  sequence?: number;
  type?: number;
}

/** GRE as in RFC 2784, with the fields of RFC 2890. */
export function gre(fields: GreFields = {}): Layer {
  const optional = [fields.checksum ? 0 : undefined, fields.key, fields.sequence].filter(value => value !== undefined);
  const flags =
    (fields.checksum ? 0x8000 : 0) |
    (fields.key === undefined ? 0 : 0x2000) |
    (fields.sequence === undefined ? 0 : 0x1000);
  return {
    protocol: protocols.gre,
    encode: (inner, place) => {
      const head = header(4 + 4 * optional.length, view => {
        view.setUint16(0, flags);
        view.setUint16(2, fields.type ?? place.etherType);
        optional.forEach((value, index) => {
          view.setUint32(4 + 4 * index, value);
        });
      });
      const packet = concat(head, inner);
      if (fields.checksum) viewOf(packet).setUint16(4, internetChecksum(packet));
      return packet;
    },
  };
}

export interface GueFields {
  /** The offsets where the inner checksum begins and where it is stored, counted from the payload. */
  remoteChecksum?: { start: number; offset: number };
  protocol?: number;
}

/** The header of variant 0 inside udp(). Variant 1 has no header: ipv4() or ipv6() stands directly inside udp(). */
export function gue(fields: GueFields = {}): Layer {
  const { remoteChecksum } = fields;
  return {
    encode: (inner, place) =>
      concat(
        header(remoteChecksum === undefined ? 4 : 12, view => {
          view.setUint8(0, remoteChecksum === undefined ? 0 : 2);
          view.setUint8(1, fields.protocol ?? place.protocol);
          if (remoteChecksum === undefined) return;
          view.setUint16(2, 0x0001); // private fields follow
          view.setUint32(4, 0x80000000); // of which the remote checksum
          view.setUint16(8, remoteChecksum.start);
          view.setUint16(10, remoteChecksum.offset);
        }),
        inner,
      ),
  };
}
