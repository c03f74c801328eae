// SPDX-License-Identifier: Apache-2.0
// Packets for tests and scenarios, written as they are read, outermost layer first:
//
//   buildFrame(ethernet(), vlan({ id: 5 }), ipv4({ source: '10.0.1.2' }), tcp({ destinationPort: 80, flags: 'S' }), 'hi')
//
// Lengths, next-protocol fields and checksums come out right unless a field says otherwise, so that a malformed packet
// names what is wrong with it and nothing else. Bytes and strings are payload. Numbers are as people write them; checksums
// that are given are those that tcpdump prints.
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
