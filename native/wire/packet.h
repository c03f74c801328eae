// SPDX-License-Identifier: Apache-2.0
// One dissection of a frame down to its transport header.
//
// dissect() looks at each header once and leaves where it found what, so that whatever handles the packet afterwards
// reads fields at known offsets and checks nothing again. It makes the checks that a host's IP stack makes at input, in
// its order, except for the IPv4 header checksum (ipv4_header_checksum_ok): an established flow needs that sum only
// when it is asked for, and incremental updates carry an error along rather than hide it.
//
// Malformed::ok promises: the network header lies within the frame, options and extension headers included; a packet
// that is no later fragment holds the whole header of TCP (options included), UDP, SCTP, ICMP and ICMPv6; UDP's length
// fits. Any other reason tells what was wrong first; the fields found before that are set, so that a verdict can name
// the packet: ports wherever their four bytes are there.
#pragma once

#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/malformed.h"
#include "wire/protocol.h"

namespace sluice::wire {

enum class Fragment : uint8_t { none, first, later };

// Offsets count from the first byte handed to dissect(). Numbers are in host byte order.
struct Packet {
  static constexpr size_t maximum_vlan_tags = 2;

  uint32_t l3_length = 0;    // by the IP header; bytes of the frame beyond it are padding
  uint32_t fragment_id = 0;  // IPv4: 16 bits, set for fragments only
  uint16_t l3 = 0;           // the network header; also the length of the link header with its tags
  uint16_t l4 = 0;           // the transport header, behind extension headers; in a later fragment its data
  uint16_t payload = 0;      // behind the transport header
  uint16_t ethertype = 0;    // behind the tags
  uint16_t source_port = 0;  // valid if has_ports
  uint16_t destination_port = 0;
  uint16_t fragment_offset = 0;                         // in bytes
  uint16_t fragment_header = 0;                         // IPv6's; 0: none
  std::array<uint16_t, maximum_vlan_tags> vlan_tci{};   // outer first
  std::array<uint16_t, maximum_vlan_tags> vlan_tpid{};  // the type that announces each
  uint8_t vlan_count = 0;
  uint8_t ip_version = 0;  // 4, 6; 0: no IP
  uint8_t protocol = 0;    // of the transport header
  uint8_t tcp_flags = 0;
  Fragment fragment = Fragment::none;
  bool more_fragments = false;
  bool has_ports = false;  // TCP, UDP or SCTP, and no later fragment
  Malformed malformed = Malformed::ok;

  Family family() const { return static_cast<Family>(ip_version); }  // only if ip_version is not 0
  uint32_t end() const { return l3 + l3_length; }                    // of the IP packet, without padding
  uint32_t l4_length() const { return end() - l4; }
};

// An Ethernet frame. Returns out.malformed. A frame that is no IP is not malformed: ip_version stays 0.
Malformed dissect(Bytes frame, Packet& out);

// The same from the network header on, by its version: raw IP captures, packets out of a tunnel.
Malformed dissect_ip(Bytes packet, Packet& out);

// A packet quoted in an ICMP error. It may end after eight bytes of its transport header (RFC 792), so lengths are
// those of the packet as it was sent, `payload` may point past the end, and only the ports are promised. `payload` and
// the flags of TCP are set where their bytes are there.
Malformed dissect_quoted(Bytes packet, Packet& out);

inline bool ipv4_header_checksum_ok(Bytes frame, const Packet& packet) {
  return fold(sum_bytes(frame.subspan(packet.l3, (frame[packet.l3] & 0x0fu) * 4))) == 0xffff;
}

}  // namespace sluice::wire
