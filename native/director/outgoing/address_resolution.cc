// SPDX-License-Identifier: Apache-2.0
// Address resolution: ARP (RFC 826, RFC 5227) and neighbour discovery (RFC 4861). Answers for virtual addresses that no
// host has configured, and questions about next hops.
#include <algorithm>
#include <array>

#include "director/outgoing/outgoing.h"
#include "wire/arp.h"
#include "wire/icmpv6.h"
#include "wire/ipv6.h"

namespace sluice::director {

namespace {

// Neighbour discovery comes from the link itself: no router has forwarded it (RFC 4861 7.1.1).
constexpr uint8_t link_hop_limit = 255;
const wire::Ipv6Address all_nodes = {{0x02ff, 0x0100000000000000}};  // ff02::1, in network byte order

uint32_t write_neighbour_message(const wire::NeighbourFields& fields, const wire::Ipv6Address& source,
                                 const wire::Ipv6Address& destination, uint8_t* to) {
  constexpr uint32_t length = wire::NeighbourFields::length;
  wire::Ipv6Fields ip;
  ip.payload_length = length;
  ip.next_header = wire::protocol::icmpv6;
  ip.hop_limit = link_hop_limit;
  ip.source = source;
  ip.destination = destination;
  emit(ip, to);
  uint8_t* message = to + wire::Ipv6View::header_length;
  emit(fields, message);
  wire::MutableIcmpv6View(wire::MutableBytes(message, length))
      .fill_checksum(wire::pseudo_header_sum(source, destination, wire::protocol::icmpv6, length));
  return wire::Ipv6View::header_length + length;
}

uint32_t write_advertisement(const wire::Ipv6Address& target, const wire::Ipv6Address& receiver, uint8_t flags,
                             const wire::MacAddress& mac, uint8_t* to) {
  return write_neighbour_message({wire::icmpv6_type::neighbour_advertisement, flags, target, mac}, target, receiver,
                                 to);
}

// The multicast group of all hosts whose address ends like the target's: ff02::1:ff and its last three bytes (RFC 4291
// 2.7.1).
wire::Ipv6Address solicited_node_group(const wire::Address& target) {
  std::array<uint8_t, 16> group = {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0xff};
  std::copy(target.bytes.begin() + 13, target.bytes.end(), group.begin() + 13);
  return wire::Ipv6Address::load(group.data());
}

// As RFC 4861 7.1.1 asks. `message` has been parsed from the packet's ICMPv6 message.
bool is_valid_solicitation(wire::Ipv6View ip, const wire::NeighbourView& message) {
  const auto length = static_cast<uint32_t>(message.bytes().size());
  const wire::Sum pseudo_header =
      wire::pseudo_header_sum(ip.source(), ip.destination(), wire::protocol::icmpv6, length);
  if (message.bytes()[0] != wire::icmpv6_type::neighbour_solicitation || message.bytes()[1] != 0) return false;
  if (ip.hop_limit() != link_hop_limit) return false;
  if (wire::fold(wire::sum_bytes(message.bytes(), pseudo_header)) != 0xffff) return false;
  if (!(ip.source() == wire::Ipv6Address{})) return true;
  return ip.destination() == solicited_node_group(message.target()) &&
         !message.link_address(wire::neighbour_option::source_link_address);
}

}  // namespace

uint32_t write_arp_reply(wire::Bytes request, const wire::MacAddress& mac, uint8_t* to) {
  const auto arp = wire::ArpView::parse(request);
  if (!arp || arp->operation() != wire::arp_operation::request) return 0;
  // A host that asks for its own address announces it (RFC 5227 3). An answer would take the address from a director
  // that takes over.
  if (arp->sender() == arp->target() || arp->sender_mac().is_multicast()) return 0;
  emit(wire::ArpFields{wire::arp_operation::reply, mac, arp->target(), arp->sender_mac(), arp->sender()}, to);
  return wire::ArpView::length;
}

uint32_t write_neighbour_advertisement(wire::Bytes solicitation, uint32_t transport, const wire::MacAddress& mac,
                                       uint8_t* to) {
  const wire::Ipv6View ip(solicitation);
  const auto message = wire::NeighbourView::parse(solicitation.subspan(transport));
  if (!message || !is_valid_solicitation(ip, *message)) return 0;
  // Duplicate address detection asks from the unspecified address. The answer goes to all nodes (RFC 4861 7.2.4).
  const bool is_probe = ip.source() == wire::Ipv6Address{};
  const uint8_t flags =
      wire::NeighbourView::override_flag | (is_probe ? uint8_t{0} : wire::NeighbourView::solicited_flag);
  return write_advertisement(message->target(), is_probe ? all_nodes : ip.source(), flags, mac, to);
}

uint32_t write_resolution_request(const wire::Address& target, const wire::Address& source, const wire::MacAddress& mac,
                                  uint8_t* to) {
  if (target.family == wire::Family::ipv4) {
    emit(wire::ArpFields{wire::arp_operation::request, mac, source.v4(), {}, target.v4()}, to);
    return wire::ArpView::length;
  }
  return write_neighbour_message({wire::icmpv6_type::neighbour_solicitation, 0, target.v6(), mac}, source.v6(),
                                 solicited_node_group(target), to);
}

wire::MacAddress resolution_target(const wire::Address& target) {
  if (target.family == wire::Family::ipv4) return {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
  return {{0x33, 0x33, 0xff, target.bytes[13], target.bytes[14], target.bytes[15]}};  // RFC 2464 7
}

wire::MacAddress announcement_target(wire::Family family) {
  if (family == wire::Family::ipv4) return {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
  return {{0x33, 0x33, 0, 0, 0, 1}};  // ff02::1
}

uint32_t write_announcement(const wire::Address& address, const wire::MacAddress& mac, uint8_t* to) {
  if (address.family == wire::Family::ipv4) {
    emit(wire::ArpFields{wire::arp_operation::request, mac, address.v4(), {}, address.v4()}, to);
    return wire::ArpView::length;
  }
  return write_advertisement(address.v6(), all_nodes, wire::NeighbourView::override_flag, mac, to);
}

}  // namespace sluice::director
