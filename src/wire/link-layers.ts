// SPDX-License-Identifier: Apache-2.0
// Ethernet, VLAN tags and ARP.
import { ipv4Bytes, macBytes } from './addresses.ts';
import { concat, header } from './bytes.ts';
import type { Layer } from './layer.ts';

export const etherTypes = { ipv4: 0x0800, arp: 0x0806, teb: 0x6558, vlan: 0x8100, ipv6: 0x86dd, providerVlan: 0x88a8 };

export interface EthernetFields {
  source?: string;
  destination?: string;
  type?: number;
}

export function ethernet(fields: EthernetFields = {}): Layer {
  const { source = '02:00:00:00:00:01', destination = '02:00:00:00:00:02' } = fields;
  return {
    etherType: etherTypes.teb,
    encode: (inner, place) =>
      concat(
        macBytes(destination),
        macBytes(source),
        header(2, view => view.setUint16(0, fields.type ?? place.etherType)),
        inner,
      ),
  };
}

export interface VlanFields {
  id: number;
  priority?: number;
  dropEligible?: boolean;
  /** The EtherType of the tag: 802.1Q unless given, etherTypes.providerVlan for an outer tag (802.1ad). */
  tpid?: number;
}

export function vlan(fields: VlanFields): Layer {
  const { id, priority = 0, dropEligible = false, tpid = etherTypes.vlan } = fields;
  return {
    etherType: tpid,
    encode: (inner, place) =>
      concat(
        header(4, view => {
          view.setUint16(0, (priority << 13) | (dropEligible ? 0x1000 : 0) | id);
          view.setUint16(2, place.etherType);
        }),
        inner,
      ),
  };
}

export interface ArpFields {
  operation?: 'request' | 'reply' | number;
  senderMac?: string;
  sender?: string;
  targetMac?: string;
  target?: string;
}

export function arp(fields: ArpFields = {}): Layer {
  const { operation = 'request', senderMac = '02:00:00:00:00:01', sender = '10.0.1.2' } = fields;
  const { targetMac = '00:00:00:00:00:00', target = '10.0.1.1' } = fields;
  const operations = { request: 1, reply: 2 };
  return {
    etherType: etherTypes.arp,
    encode: inner =>
      concat(
        header(8, view => {
          view.setUint16(0, 1); // Ethernet
          view.setUint16(2, etherTypes.ipv4);
          view.setUint8(4, 6);
          view.setUint8(5, 4);
          view.setUint16(6, typeof operation === 'number' ? operation : operations[operation]);
        }),
        macBytes(senderMac),
        ipv4Bytes(sender),
        macBytes(targetMac),
        ipv4Bytes(target),
        inner,
      ),
  };
}
