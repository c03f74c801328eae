// SPDX-License-Identifier: Apache-2.0
// Transforms of packets that are about to leave: encapsulation, fragmentation, segmentation, and the messages that the
// director writes itself. Pure functions over bytes, without tables or a clock. The stages decide, these functions
// write.
#pragma once

#include <cstdint>
#include <span>

#include "director/network/frame.h"
#include "director/services/service.h"
#include "wire/address.h"
#include "wire/bytes.h"

namespace sluice::director {

// An IP packet in a frame's buffer: the frame without its link header.
struct IpPacket {
  uint8_t* data = nullptr;
  uint32_t length = 0;
  wire::Family family = wire::Family::ipv4;
};

// --- encapsulate.cc ---

// Number of bytes that the tunnel puts in front of a packet. `partial`: the packet's transport checksum is partial
// (GUE's remote checksum offload applies only to such packets).
uint32_t tunnel_overhead(const Tunnel& tunnel, wire::Family outer, bool partial);

// The smallest MTU that a link may have (RFC 791, RFC 8200). If a path leaves less than that for the packet, it has no
// room for a tunnel.
inline constexpr uint32_t smallest_mtu(wire::Family family) {
  return family == wire::Family::ipv4 ? 68 : 1280;
}

struct OuterHeader {
  wire::Address source, destination;
  uint16_t id = 0;                 // IPv4 identification
  bool copy_dont_fragment = true;  // pmtu_disc: the outer DF is copied from the inner packet
};

// Writes the outer headers in front of packet.data (the caller has the room, see required_headroom) and makes `packet`
// the outer packet. Hop limit and traffic class are copied from the inner header, whose hop limit has already been
// decremented. ECN follows RFC 3168 9.1.1: an inner congestion mark becomes ECT(0) outside, as in the kernel.
// `partial`: as in tunnel_overhead; the inner transport checksum must be complete unless the tunnel offloads it.
// `checksum_start` is the offset of the transport header in the inner packet, `checksum_offset` that of the checksum in
// the transport header. False if the outer packet would exceed its length field; then the packet is unchanged.
[[nodiscard]] bool encapsulate(IpPacket& packet, const Tunnel& tunnel, const OuterHeader& outer, bool partial,
                               uint16_t checksum_start, uint16_t checksum_offset);

// The headers that encapsulate() would write in front of every packet to a real server, for this MTU, if no checksum
// covers the packet. `longest` stays 0 if these headers cannot be used, or if the MTU has no room for them.
OuterHeaders prepare_outer_headers(const Tunnel& tunnel, wire::Family inner, const wire::Address& source,
                                   const wire::Address& destination, uint32_t mtu);

// --- fragment_packet.cc ---

// Receives pieces of a packet: each call returns a buffer of `length` bytes for the next piece's IP packet, or nullptr
// if there is no more room (then the rest is not written).
class PieceSink {
 public:
  virtual ~PieceSink() = default;
  virtual uint8_t* next_piece(uint32_t length) = 0;
};

// Cuts an IP packet into fragments of at most `mtu` bytes. IPv4 is cut as by a router (RFC 791): the packet may itself
// be a fragment, whose offset and more-flag continue; options are copied as their copy bit says. IPv6 is cut as by the
// host at the tunnel's begin, with a fragment header; `id` is its identification. The caller must respect DF. False,
// with nothing written, if the MTU is too small, or if an IPv6 packet has extension headers, which only its sender may
// cut.
bool fragment_packet(const IpPacket& packet, uint32_t mtu, uint32_t id, PieceSink& sink);

// --- segment_packet.cc ---

// Cuts a TCP or UDP packet larger than the MTU into the segments that a device would make: sequence numbers, flags (FIN
// and PSH only on the last, CWR only on the first), lengths, ascending IPv4 identifications, complete checksums.
// `transport` is the offset of the transport header in the packet. False, with nothing written, if the packet is not of
// that kind.
bool segment_packet(const IpPacket& packet, uint32_t transport, Segmentation kind, uint16_t segment_size,
                    PieceSink& sink);

// Completes a partial transport checksum in place, as a device does: over all bytes from the transport header on; the
// field holds the pseudo-header's sum. `transport`: as above. A fragment never has a partial checksum.
void complete_checksum(const IpPacket& packet, uint32_t transport, uint8_t protocol);

// --- icmp_message.cc ---

// Writes the ICMP or ICMPv6 error about `packet` to its sender: at most 576 bytes (IPv4; RFC 1812 4.3.2.3) or 1,280
// (IPv6; RFC 4443 2.4c), hop limit 64, IPv4 TOS as the kernel's (internetwork control). `to` has room for 1,280 bytes.
// Returns the length; 0 if no error may be sent about such a packet: a later fragment, another ICMP error, a source
// that is not a single host, a multicast destination (its sender may only be told packet too big, RFC 4443 2.4e.3).
// `id` is IPv4's identification, as in all messages here.
struct IcmpError {
  uint8_t type = 0, code = 0;
  uint32_t rest = 0;  // MTU in the lower bits (IPv4: the low 16), pointer or zero
};
inline constexpr size_t icmp_error_room = 1280;
uint32_t write_icmp_error(const IpPacket& about, const IcmpError& error, const wire::Address& source, uint16_t id,
                          uint8_t* to);

// Turns a whole echo request into its reply in place: addresses swapped, type, checksum, hop limit 64. Of IPv4's
// options only the recorded route stays, with this host's address added; if other options are removed, the header
// shrinks at its front.
void turn_echo_around(IpPacket& packet, uint32_t transport, uint16_t id);

// --- address_resolution.cc ---

// Writes the answer to an ARP request (an ARP message) or to a neighbour solicitation (an IPv6 packet). Returns its
// length; 0 if the question must not be answered.
inline constexpr size_t resolution_reply_room = 128;
uint32_t write_arp_reply(wire::Bytes request_arp, const wire::MacAddress& mac, uint8_t* to);
uint32_t write_neighbour_advertisement(wire::Bytes solicitation_ip, uint32_t transport, const wire::MacAddress& mac,
                                       uint8_t* to);
// Asks for the link-layer address of `target` by an ARP request or a neighbour solicitation. resolution_target() is the
// MAC address that the question goes to.
uint32_t write_resolution_request(const wire::Address& target, const wire::Address& source, const wire::MacAddress& mac,
                                  uint8_t* to);
wire::MacAddress resolution_target(const wire::Address& target);
// Announces an address to all on the link: a gratuitous ARP request, or an unsolicited advertisement to ff02::1.
uint32_t write_announcement(const wire::Address& address, const wire::MacAddress& mac, uint8_t* to);
wire::MacAddress announcement_target(wire::Family family);

// --- toa_option.cc ---

// Inserts the TCP option 254 with the client's address and port, 8 bytes (IPv4) or 20 (IPv6), in front of the other
// options of a TCP segment. Options and payload stay in place; the headers before them move towards the front, where
// the caller has room. False, with the packet unchanged, if the TCP header has no room, if the packet is a fragment, or
// if the result would exceed `mtu`.
bool insert_toa(IpPacket& packet, uint32_t transport, const wire::Address& client, uint16_t client_port, uint32_t mtu,
                bool partial);

}  // namespace sluice::director
