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

#include "wire/ethernet.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/malformed.h"
#include "wire/protocol.h"
#include "wire/tcp.h"
#include "wire/udp.h"

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
  uint16_t fragment_offset = 0;                        // in bytes
  uint16_t fragment_header = 0;                        // IPv6's; 0: none
  std::array<uint16_t, maximum_vlan_tags> vlan_tci{};  // outer first
  uint8_t vlan_count = 0;
  uint8_t ip_version = 0;  // 4, 6; 0: no IP
  uint8_t protocol = 0;    // of the transport header
  uint8_t tcp_flags = 0;
  Fragment fragment = Fragment::none;
  bool more_fragments = false;
  bool has_ports = false;  // TCP, UDP or SCTP, and no later fragment
  bool is_plain = false;   // TCP or UDP in a whole datagram, without tags, options or extension headers
  Malformed malformed = Malformed::ok;

  Family family() const { return static_cast<Family>(ip_version); }  // only if ip_version is not 0
  uint32_t end() const { return l3 + l3_length; }                    // of the IP packet, without padding
  uint32_t l4_length() const { return end() - l4; }
};

// The director's daily bread, read with a few compares: untagged, unfragmented packets without options or extension
// headers that carry TCP or UDP. False: this is none, or something is wrong with it; `out` is untouched then.
inline bool dissect_plain(Bytes frame, size_t l4, size_t l4_length, uint8_t ip_version, uint8_t carried, Packet& out) {
  constexpr size_t l3 = EthernetView::header_length;
  const uint8_t* const transport = frame.data() + l4;
  size_t header_length = UdpView::header_length;
  uint8_t flags = 0;
  if (carried == protocol::tcp) {
    if (l4_length < TcpView::minimum_header_length) return false;
    header_length = (transport[12] >> 4) * 4u;
    if (header_length < TcpView::minimum_header_length || header_length > l4_length) return false;
    flags = transport[13];
  } else if (carried == protocol::udp) {
    if (l4_length < UdpView::header_length) return false;
    const size_t length = load_be16(transport + 4);
    if (length < UdpView::header_length || length > l4_length) return false;
  } else {
    return false;
  }
  out = Packet{};
  out.l3_length = static_cast<uint32_t>(l4 - l3 + l4_length);
  out.l3 = l3;
  out.l4 = static_cast<uint16_t>(l4);
  out.payload = static_cast<uint16_t>(l4 + header_length);
  out.ethertype = ip_version == 4 ? ethertype::ipv4 : ethertype::ipv6;
  out.source_port = load_be16(transport);
  out.destination_port = load_be16(transport + 2);
  out.ip_version = ip_version;
  out.protocol = carried;
  out.tcp_flags = flags;
  out.has_ports = true;
  out.is_plain = true;
  return true;
}

inline bool dissect_plain_ipv4(Bytes frame, Packet& out) {
  constexpr size_t l3 = EthernetView::header_length, l4 = l3 + Ipv4View::minimum_header_length;
  if (frame.size() < l4) return false;
  const uint8_t* const ip = frame.data() + l3;
  if (ip[0] != 0x45) return false;
  if ((load_raw16(ip + 6) & raw16(Ipv4View::more_fragments | Ipv4View::offset_mask)) != 0) return false;
  const size_t l3_length = load_be16(ip + 2);
  if (l3_length < Ipv4View::minimum_header_length || l3_length > frame.size() - l3) return false;
  return dissect_plain(frame, l4, l3_length - Ipv4View::minimum_header_length, 4, ip[9], out);
}

inline bool dissect_plain_ipv6(Bytes frame, Packet& out) {
  constexpr size_t l3 = EthernetView::header_length, l4 = l3 + Ipv6View::header_length;
  if (frame.size() < l4) return false;
  const uint8_t* const ip = frame.data() + l3;
  const size_t l4_length = load_be16(ip + 4);
  if (ip[0] >> 4 != 6 || l4_length > frame.size() - l4) return false;
  return dissect_plain(frame, l4, l4_length, 6, ip[6], out);
}

// Everything but the packets of the fast path, and those again that it found wanting.
Malformed dissect_any(Bytes frame, Packet& out);

// An Ethernet frame. Returns out.malformed. A frame that is no IP is not malformed: ip_version stays 0.
inline Malformed dissect(Bytes frame, Packet& out) {
  if (frame.size() > EthernetView::header_length) [[likely]] {
    const uint16_t type = load_raw16(frame.data() + EthernetView::type_offset);
    if (type == raw16(ethertype::ipv4) && dissect_plain_ipv4(frame, out)) return Malformed::ok;
    if (type == raw16(ethertype::ipv6) && dissect_plain_ipv6(frame, out)) return Malformed::ok;
  }
  return dissect_any(frame, out);
}

// The same from the network header on, by its version: raw IP captures, packets out of a tunnel.
Malformed dissect_ip(Bytes packet, Packet& out);

// A packet quoted in an ICMP error. It may end after eight bytes of its transport header (RFC 792), so lengths are
// those of the packet as it was sent, `payload` may point past the end, and only the ports are promised. `payload` and
// the flags of TCP are set where their bytes are there.
Malformed dissect_quoted(Bytes packet, Packet& out);

inline bool ipv4_header_checksum_ok(Bytes frame, const Packet& packet) {
  return fold(sum_bytes(frame.subspan(packet.l3, (frame[packet.l3] & 0x0fu) * 4))) == 0xffff;
}

// The same for a header without options.
inline bool plain_ipv4_header_checksum_ok(const uint8_t* header) {
  uint64_t first, second;
  uint32_t last;
  std::memcpy(&first, header, sizeof first);
  std::memcpy(&second, header + 8, sizeof second);
  std::memcpy(&last, header + 16, sizeof last);
  return add_with_carry(add_with_carry(first, second), last) % 0xffff == 0;  // it folds to 0xffff
}

}  // namespace sluice::wire
