// SPDX-License-Identifier: Apache-2.0
#include "director/stages/neighbours.h"

#include <algorithm>

#include "wire/arp.h"
#include "wire/ethernet.h"
#include "wire/icmpv6.h"
#include "wire/ipv6.h"

namespace sluice::director {

namespace {

// RFC 4861 7.1.1: a hop limit cannot be larger, and any router on the path would have decremented it.
constexpr uint8_t neighbour_hop_limit = 255;
constexpr wire::MacAddress all_nodes_mac = {{0x33, 0x33, 0, 0, 0, 1}};  // for ff02::1 (RFC 2464 7)

wire::Bytes bytes_of(const Frame& frame) {
  return {frame.data, frame.length};
}

}  // namespace

// For an address that a frame's sender claims: whether it is a virtual address, and the sender another host.
bool Neighbours::is_claimed(const wire::Address& address, const Frame& frame, Time now) {
  if (!services_.is_virtual_address(address)) return false;
  const wire::MacAddress mac = wire::EthernetView(bytes_of(frame)).source();
  const auto& ports = transmitter_.route_table().ports();
  if (std::any_of(ports.begin(), ports.end(), [&](const Port& port) { return port.mac == mac; })) return false;
  conflicts_.note({address, mac, frame.port, now});
  return true;
}

std::optional<Decision> Neighbours::neighbour_message(const Transit<wire::Ipv6Address>& t) {
  if (t.packet.protocol != wire::protocol::icmpv6 || t.packet.fragment != wire::Fragment::none) return std::nullopt;
  const auto view = wire::NeighbourView::parse(t.transport());
  if (!view) return std::nullopt;
  const bool is_from_link = wire::Ipv6View(t.ip()).hop_limit() == neighbour_hop_limit;
  if (view->is_advertisement()) {
    if (!is_from_link || !is_claimed(view->target(), t.frame, t.now)) return std::nullopt;
    return Decision{Reason::address_taken};
  }
  if (!own_addresses_.owns(view->target())) return std::nullopt;
  if (!is_from_link) return Decision{Reason::martian_ttl};
  uint8_t* buffer = transmitter_.take_buffer(resolution_reply_room);
  if (buffer == nullptr) return std::nullopt;
  const wire::MacAddress& mac = transmitter_.route_table().ports()[t.frame.port].mac;
  const uint32_t length = write_neighbour_advertisement(t.ip(), t.packet.l4 - t.packet.l3, mac, buffer);
  if (length == 0) return std::nullopt;
  const wire::MacAddress asker = wire::EthernetView(bytes_of(t.frame)).source();
  const bool is_probe = t.endpoints.source == wire::Ipv6Address{};
  transmitter_.answer(t.frame, t.packet, buffer, length, wire::ethertype::ipv6, is_probe ? all_nodes_mac : asker,
                      t.out);
  return Decision{Reason::neighbour_answered};
}

void Neighbours::announce(TransmitQueue& out) {
  services_.for_each_virtual_address([&](const wire::Address& address) {
    if (!transmitter_.route_table().is_local(address)) transmitter_.announce(address, out);
  });
}

void Neighbours::introduce(std::span<const wire::Address> addresses, TransmitQueue& out) {
  for (const wire::Address& address : addresses) {
    if (!services_.is_virtual_address(address) || transmitter_.route_table().is_local(address)) continue;
    transmitter_.ask_for_owner(address, out);
    transmitter_.announce(address, out);
  }
}

Decision Neighbours::arp(const Frame& frame, const wire::Packet& packet, Time now, TransmitQueue& out) {
  const wire::Bytes question = bytes_of(frame).subspan(packet.l3);
  const auto view = wire::ArpView::parse(question);
  if (!view) return {Reason::not_ip};
  if (is_claimed(view->sender(), frame, now)) return {Reason::address_taken};
  if (view->operation() != wire::arp_operation::request) return {Reason::not_ip};
  const wire::Address target = view->target();
  if (!own_addresses_.owns(target)) return {Reason::not_ip};
  uint8_t* buffer = transmitter_.take_buffer(resolution_reply_room);
  if (buffer == nullptr) return {Reason::not_ip};
  const wire::MacAddress& mac = transmitter_.route_table().ports()[frame.port].mac;
  const uint32_t length = write_arp_reply(question, mac, buffer);
  if (length == 0) return {Reason::not_ip};
  transmitter_.answer(frame, packet, buffer, length, wire::ethertype::arp, view->sender_mac(), out);
  return {Reason::arp_answered};
}

}  // namespace sluice::director
