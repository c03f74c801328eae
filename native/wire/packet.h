// SPDX-License-Identifier: Apache-2.0
// One dissection of a frame down to its transport header.
//
// dissect() looks at each header once and records the offsets, so that later code reads fields at known offsets and
// checks nothing again. It makes the checks of a host's IP stack at input, in the same order, except for the IPv4
// header checksum (ipv4_header_checksum_ok): an established flow needs that sum only when it is asked for, and an
// incremental update keeps an error in the checksum rather than hide it.
//
// Malformed::ok promises: the network header lies within the frame, with its options and extension headers; a packet
// that is not a later fragment holds the whole header of TCP (options included), UDP, SCTP, ICMP or ICMPv6; UDP's
// length fits. Any other reason names the first fault. Fields found before the fault are set, so that a verdict can
// name the packet; ports are set if their four bytes are there.
#pragma once

#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/malformed.h"
#include "wire/protocol.h"

namespace sluice::wire {

enum class Fragment : uint8_t { none, first, later };

// Offsets count from the first byte that dissect() was given. Numbers are in host byte order.
struct Packet {
  static constexpr size_t maximum_vlan_tags = 2;

  uint32_t l3_length = 0;    // as the IP header says; further bytes of the frame are padding
  uint32_t fragment_id = 0;  // IPv4: 16 bits, set for fragments only
  uint16_t l3 = 0;           // the network header; also the length of the link header with its tags
  uint16_t l4 = 0;           // the transport header, after extension headers; in a later fragment: the data
  uint16_t payload = 0;      // after the transport header
  uint16_t ethertype = 0;    // after the tags
  uint16_t source_port = 0;  // valid if has_ports
  uint16_t destination_port = 0;
  uint16_t fragment_offset = 0;                         // in bytes
  uint16_t fragment_header = 0;                         // IPv6's; 0: none
  std::array<uint16_t, maximum_vlan_tags> vlan_tci{};   // outer first
  std::array<uint16_t, maximum_vlan_tags> vlan_tpid{};  // the type that announces each tag
  uint8_t vlan_count = 0;
  uint8_t ip_version = 0;  // 4 or 6; 0: not IP
  uint8_t protocol = 0;    // of the transport header
  uint8_t tcp_flags = 0;
  Fragment fragment = Fragment::none;
  bool more_fragments = false;
  bool has_ports = false;  // TCP, UDP or SCTP, and not a later fragment
  Malformed malformed = Malformed::ok;

  Family family() const { return static_cast<Family>(ip_version); }  // only if ip_version is not 0
  uint32_t end() const { return l3 + l3_length; }                    // of the IP packet, without padding
  uint32_t l4_length() const { return end() - l4; }
};

// For an Ethernet frame. Returns out.malformed. A frame without IP is not malformed: ip_version stays 0.
Malformed dissect(Bytes frame, Packet& out);

// For bytes that begin with the network header: raw IP captures, packets out of a tunnel. The IP version tells the
// family.
Malformed dissect_ip(Bytes packet, Packet& out);

// For a packet quoted in an ICMP error. The quotation may end after eight bytes of the transport header (RFC 792), so
// lengths are those of the packet as it was sent, `payload` may point past the end, and only the ports are promised.
// `payload` and the TCP flags are set if their bytes are there.
Malformed dissect_quoted(Bytes packet, Packet& out);

inline bool ipv4_header_checksum_ok(Bytes frame, const Packet& packet) {
  return fold(sum_bytes(frame.subspan(packet.l3, (frame[packet.l3] & 0x0fu) * 4))) == 0xffff;
}

}  // namespace sluice::wire
