// SPDX-License-Identifier: Apache-2.0
// Builds packets for tests and scenarios. A packet is written in the order of its layers, the outermost first:
//
//   buildFrame(ethernet(), vlan({ id: 5 }), ipv4({ source: '10.0.1.2' }), tcp({ destinationPort: 80, flags: 'S' }), 'hi')
//
// Lengths, next-protocol fields and checksums are correct unless a field gives another value. So a malformed packet
// only names the field that is wrong. Bytes and strings are payload. Numbers are in host order, and a checksum that is
// given is the number that tcpdump prints.
export { ipv4Bytes, ipv6Bytes, macBytes } from './addresses.ts';
export { concat, hex } from './bytes.ts';
export * from './icmp-layers.ts';
export { buildFrame, buildPacket, type Layer, type LayerLike, payload } from './layer.ts';
export * from './link-layers.ts';
export * from './network-layers.ts';
export {
  type SctpChunkFields,
  type SctpFields,
  type SctpInitFields,
  sctp,
  sctpChunk,
  sctpChunkTypes,
  sctpInit,
  type TcpFields,
  type TransportChecksum,
  tcp,
  tcpOptions,
  type UdpFields,
  udp,
} from './transport-layers.ts';
export * from './tunnel-layers.ts';
