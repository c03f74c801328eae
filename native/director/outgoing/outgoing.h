// SPDX-License-Identifier: Apache-2.0
// Transforms of packets that are about to leave: encapsulation, fragmentation, segmentation, and the messages that the
// director itself writes. Pure functions over bytes: no tables, no clock. The director decides, these write.
#pragma once

#include <cstdint>
#include <span>

#include "director/network/frame.h"
#include "director/services/service.h"
#include "wire/address.h"
#include "wire/bytes.h"

namespace sluice::director {

// An IP packet inside a frame's buffer: what remains of a frame when its link header is looked away from.
struct IpPacket {
  uint8_t* data = nullptr;
  uint32_t length = 0;
  wire::Family family = wire::Family::ipv4;
};

// --- encapsulate.cc ---

// Bytes that the tunnel puts before a packet. `partial`: the packet's transport checksum is partial (GUE's remote
// checksum offload applies to such packets only).
uint32_t tunnel_overhead(const Tunnel& tunnel, wire::Family outer, bool partial);

// The MTU below which no link may be (RFC 791, RFC 8200). A way over which less than that is left for the packet has no
// room for a tunnel.
inline constexpr uint32_t smallest_mtu(wire::Family family) {
  return family == wire::Family::ipv4 ? 68 : 1280;
}

struct OuterHeader {
  wire::Address source, destination;
  uint16_t id = 0;                 // IPv4 identification
  bool copy_dont_fragment = true;  // pmtu_disc: the outer DF is the inner one's
};

// Writes the outer headers before packet.data (the caller has the room, see required_headroom) and makes `packet` the
// outer packet. Hop limit and traffic class are copied from the inner header (its hop already counted), ECN as
// RFC 3168 9.1.1: a congestion mark inside becomes ECT(0) outside, as in the kernel. `partial`: as in tunnel_overhead;
// the inner transport checksum must be complete unless the tunnel offloads it. `checksum_start` is the transport
// header's place in the inner packet, `checksum_offset` the checksum's in that header. False, the packet unchanged: the
// outer packet would be longer than its length field can say.
[[nodiscard]] bool encapsulate(IpPacket& packet, const Tunnel& tunnel, const OuterHeader& outer, bool partial,
                               uint16_t checksum_start, uint16_t checksum_offset);

// What encapsulate() writes before every packet to a real server, on a way of this MTU, where no checksum covers the
// packet. `longest` stays 0 where the headers are not to be written from there, or where the way has no room for them.
OuterHeaders prepare_outer_headers(const Tunnel& tunnel, wire::Family inner, const wire::Address& source,
                                   const wire::Address& destination, uint32_t mtu);

// --- fragment_packet.cc ---

// Where pieces go: each call gives a buffer of `length` bytes for the next piece's IP packet, or nullptr when there is
// no more room (the rest is not written).
class PieceSink {
 public:
  virtual ~PieceSink() = default;
  virtual uint8_t* next_piece(uint32_t length) = 0;
};

// Cuts an IP packet into fragments of at most `mtu` bytes, as a router (IPv4, RFC 791; also of a fragment, whose offset
// and more-flag carry on; options copied as their copy bit says) or as the tunnel's own host (IPv6, with a fragment
// header; `id` is its identification). DF is the caller's to respect. False, nothing written: it cannot be (the MTU is
// too small, or an IPv6 packet has extension headers, which only their sender may cut).
bool fragment_packet(const IpPacket& packet, uint32_t mtu, uint32_t id, PieceSink& sink);

// --- segment_packet.cc ---

// Cuts a TCP or UDP packet larger than its device's MTU into the segments that the device would have made of it:
// sequence numbers, flags (FIN, PSH only on the last, CWR only on the first), lengths, IPv4 identifications counting
// up, complete checksums. `transport` is the offset of the transport header in the packet. False, nothing written: not
// a packet of that kind.
bool segment_packet(const IpPacket& packet, uint32_t transport, Segmentation kind, uint16_t segment_size,
                    PieceSink& sink);

// Completes a partial transport checksum in place, as a device does: over all bytes from the transport header on, the
// pseudo-header's sum found in the field. `transport` as above. No fragment has a partial checksum.
void complete_checksum(const IpPacket& packet, uint32_t transport, uint8_t protocol);

// --- icmp_message.cc ---

// Writes the ICMP or ICMPv6 error about `packet` that goes to its sender: at most 576 bytes (IPv4; RFC 1812 4.3.2.3) or
// 1,280 (IPv6; RFC 4443 2.4c), hop limit 64, IPv4 TOS as the kernel's (internetwork control). `to` has room for 1,280
// bytes. Returns its length; 0 where no error may be sent about such a packet: a later fragment, another ICMP error, a
// source that is no single host, a multicast destination (whose sender may only be told packet too big, RFC
// 4443 2.4e.3). `id` is IPv4's identification, as in all messages here.
struct IcmpError {
  uint8_t type = 0, code = 0;
  uint32_t rest = 0;  // MTU in the lower bits (IPv4: the low 16), pointer or zero
};
inline constexpr size_t icmp_error_room = 1280;
uint32_t write_icmp_error(const IpPacket& about, const IcmpError& error, const wire::Address& source, uint16_t id,
                          uint8_t* to);

// Turns a whole echo request into its reply in place: addresses swapped, type, checksum, hop limit 64. Of IPv4's
// options the recorded route remains, with this host's address entered: the header shrinks from the front where others
// go.
void turn_echo_around(IpPacket& packet, uint32_t transport, uint16_t id);

// --- address_resolution.cc ---

// Writes the answer to an ARP request (an ARP message) or to a neighbour solicitation (an IPv6 packet). Returns its
// length; 0 where the question is none that is to be answered.
inline constexpr size_t resolution_reply_room = 128;
uint32_t write_arp_reply(wire::Bytes request_arp, const wire::MacAddress& mac, uint8_t* to);
uint32_t write_neighbour_advertisement(wire::Bytes solicitation_ip, uint32_t transport, const wire::MacAddress& mac,
                                       uint8_t* to);
// Asks who has `target`: an ARP request, or a neighbour solicitation; and the frame address that the question goes to.
uint32_t write_resolution_request(const wire::Address& target, const wire::Address& source, const wire::MacAddress& mac,
                                  uint8_t* to);
wire::MacAddress resolution_target(const wire::Address& target);
// Announces an address to all on the link: a gratuitous ARP request, or an unsolicited advertisement to ff02::1.
uint32_t write_announcement(const wire::Address& address, const wire::MacAddress& mac, uint8_t* to);
wire::MacAddress announcement_target(wire::Family family);

// --- toa_option.cc ---

// Inserts the TCP option 254 with the client's address and port, 8 bytes (IPv4) or 20 (IPv6), before the other options
// of a TCP segment. Options and payload stay where they are: the headers before them move towards the front, into the
// room that the caller has there. False, the packet unchanged: no room in the TCP header, a fragment, or the result
// would be longer than `mtu`.
bool insert_toa(IpPacket& packet, uint32_t transport, const wire::Address& client, uint16_t client_port, uint32_t mtu,
                bool partial);

}  // namespace sluice::director
