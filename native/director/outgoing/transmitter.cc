// SPDX-License-Identifier: Apache-2.0
#include "director/outgoing/transmitter.h"

#include "wire/ethernet.h"
#include "wire/icmp.h"
#include "wire/icmpv6.h"
#include "wire/ipv4.h"
#include "wire/vlan.h"

namespace sluice::director {

namespace {

// net.ipv4.route.min_pmtu and mtu_expires.
constexpr uint32_t smallest_path_mtu = 552;
constexpr Time path_mtu_lifetime = 600 * second;

constexpr size_t ethernet_length = wire::EthernetView::header_length;

uint16_t ethertype_of(wire::Family family) {
  return family == wire::Family::ipv4 ? wire::ethertype::ipv4 : wire::ethertype::ipv6;
}

struct Tags {
  std::array<uint16_t, wire::Packet::maximum_vlan_tags> tci{}, tpid{};
  size_t count = 0;
};

// The VLAN tags of a transmitted frame: the tag of the transmitting port, if it has one; otherwise, on the port that
// received the frame, the tags and types that the frame came with.
Tags tags_of(const Frame& frame, const wire::Packet& packet, const Port& port, PortId out) {
  if (port.vlan != 0) return {{port.vlan}, {wire::ethertype::vlan}, 1};
  if (out != frame.port) return {};
  return {packet.vlan_tci, packet.vlan_tpid, packet.vlan_count};
}

// The port's own address in a network that contains `address`; nullptr if it has none.
const wire::Address* own_address_beside(const Port& port, const wire::Address& address) {
  for (const InterfaceAddress& own : port.addresses) {
    if (own.address.family != address.family) continue;
    if (masked(own.address, own.prefix_length) == masked(address, own.prefix_length)) return &own.address;
  }
  return nullptr;
}

}  // namespace

Pieces::Pieces(Transmitter& transmitter) : transmitter_(transmitter) {
  pieces_.reserve(Transmitter::most_buffers);
}

uint8_t* Pieces::next_piece(uint32_t length) {
  uint8_t* const buffer = transmitter_.take_buffer(length);
  if (buffer != nullptr) pieces_.push_back({buffer, length, family_});
  has_run_out_ |= buffer == nullptr;
  return buffer;
}

Transmitter::Transmitter(bool limits_icmp, Resolve resolve)
    : limits_icmp_(limits_icmp), resolve_(std::move(resolve)), arena_(new uint8_t[arena_size]) {}

uint8_t* Transmitter::take_buffer(uint32_t length) {
  const size_t needed = (required_headroom + length + buffer_alignment - 1) & ~(buffer_alignment - 1);
  if (used_ + needed > arena_size) return nullptr;
  uint8_t* buffer = arena_.get() + used_ + required_headroom;
  used_ += needed;
  return buffer;
}

// If a path MTU was narrowed, the next hop is looked up again for each packet, until the narrowing expires.
void Transmitter::refresh(Destination& destination, Time now) {
  if (destination.path_mtu != UINT32_MAX && now >= destination.path_mtu_until) destination.path_mtu = UINT32_MAX;
  destination.hop = route_table_->next_hop(destination.address);
  destination.hop.mtu = std::min(destination.hop.mtu, destination.path_mtu);
  if (destination.hop.plain_mtu > destination.hop.mtu)
    destination.hop.plain_mtu = static_cast<uint16_t>(destination.hop.mtu);
  if (destination.forwarding == Forwarding::tunnel) {
    destination.outer =
        prepare_outer_headers(destination.tunnel, destination.home.address.family, destination.hop.source_address,
                              destination.address, destination.hop.plain_mtu);
  } else {
    destination.outer.longest = 0;
  }
  destination.hop_generation = destination.path_mtu == UINT32_MAX ? route_table_->generation() : 0;
}

void Transmitter::narrow(Destination& destination, uint32_t mtu, Time now) {
  if (mtu < smallest_path_mtu || mtu >= hop_to(destination, now).mtu) return;
  destination.path_mtu = mtu;
  destination.path_mtu_until = now + path_mtu_lifetime;
  destination.hop_generation = 0;
}

void Transmitter::ask_neighbour(const NextHop& hop, Time now, const Frame& frame, const wire::Packet& packet,
                                TransmitQueue& out) {
  if (!questions_.admit(hop.next, now)) return;
  if (resolve_) return resolve_(hop.port, hop.next);
  if (hop.source_address.is_unspecified()) return;
  uint8_t* buffer = take_buffer(resolution_reply_room);
  if (buffer == nullptr) return;
  const bool is_v4 = hop.next.family == wire::Family::ipv4;
  const uint32_t length = write_resolution_request(hop.next, hop.source_address, hop.source, buffer);
  NextHop all = hop;
  all.destination = resolution_target(hop.next);
  Frame question;
  question.port = frame.port;
  push(question, packet, buffer, length, is_v4 ? wire::ethertype::arp : wire::ethertype::ipv6, all, out);
}

void Transmitter::push(const Frame& frame, const wire::Packet& packet, uint8_t* payload, uint32_t length, uint16_t type,
                       const NextHop& hop, TransmitQueue& out) {
  const Tags tags = tags_of(frame, packet, route_table_->ports()[hop.port], hop.port);
  uint8_t* at = payload;
  for (size_t i = tags.count; i-- > 0;) {
    at -= wire::VlanView::header_length;
    wire::store_be16(at, tags.tci[i]);
    wire::store_be16(at + 2, type);
    type = tags.tpid[i];
  }
  at -= ethernet_length;
  std::memcpy(at, hop.destination.bytes.data(), wire::MacAddress::size);
  std::memcpy(at + wire::MacAddress::size, hop.source.bytes.data(), wire::MacAddress::size);
  wire::store_be16(at + wire::EthernetView::type_offset, type);

  Frame leaving = frame;
  leaving.data = at;
  leaving.length = static_cast<uint32_t>(payload - at) + length;
  leaving.port = hop.port;
  out.push(leaving);
}

std::optional<Reason> Transmitter::send(const Frame& frame, const wire::Packet& packet, const IpPacket& ip,
                                        const NextHop& hop, TransmitQueue& out) {
  if (ip.length <= hop.mtu || frame.segmentation != Segmentation::none) {
    push(frame, packet, ip.data, ip.length, ethertype_of(ip.family), hop, out);
    return std::nullopt;
  }
  Frame cut = frame;
  if (frame.checksum == TransportChecksum::partial) {
    // No device could complete the checksum after cutting, because it covers all fragments.
    complete_checksum(ip, packet.l4 - packet.l3, packet.protocol);
    cut.checksum = TransportChecksum::complete;
  }
  fragments_.begin(ip.family);
  if (!fragment_packet(ip, hop.mtu, ++id_, fragments_)) return Reason::unfragmentable;
  if (fragments_.has_run_out()) return Reason::out_of_buffers;
  for (const IpPacket& piece : fragments_.all()) {
    push(cut, packet, piece.data, piece.length, ethertype_of(ip.family), hop, out);
  }
  return std::nullopt;
}

void Transmitter::send_error(const IpPacket& about, const IcmpError& error, const wire::Address& source,
                             const wire::Address& receiver, Time now, const Frame& frame, const wire::Packet& packet,
                             TransmitQueue& out) {
  const NextHop hop = route_table_->next_hop(receiver);
  // This error is lost, but the next one can leave. If replies bypass the director, nothing else asks for this
  // neighbour.
  if (hop.state == HopState::no_neighbour) return ask_neighbour(hop, now, frame, packet, out);
  if (hop.state != HopState::reachable) return;
  const bool is_too_big = about.family == wire::Family::ipv4 ? error.type == wire::icmp_type::unreachable &&
                                                                   error.code == wire::icmp_code::fragmentation_needed
                                                             : error.type == wire::icmpv6_type::packet_too_big;
  uint8_t* buffer = take_buffer(icmp_error_room);
  if (buffer == nullptr) return;
  const wire::Address& from = source.is_unspecified() ? hop.source_address : source;
  const uint32_t length = write_icmp_error(about, error, from, next_id(), buffer);
  // Path-MTU discovery is never limited: without it a connection hangs.
  if (length == 0 || (limits_icmp_ && !is_too_big && !limit_.admit(receiver, now))) return;
  Frame answer;
  answer.port = frame.port;
  push(answer, packet, buffer, length, ethertype_of(about.family), hop, out);
}

void Transmitter::announce(const wire::Address& address, TransmitQueue& out) {
  const std::vector<Port>& ports = route_table_->ports();
  const auto holds = [&](const Port& port) { return own_address_beside(port, address) != nullptr; };
  const bool is_on_link = std::any_of(ports.begin(), ports.end(), holds);
  for (PortId id = 0; id < ports.size(); id++) {
    if (is_on_link && !holds(ports[id])) continue;
    uint8_t* buffer = take_buffer(resolution_reply_room);
    if (buffer == nullptr) return;
    const uint32_t length = write_announcement(address, ports[id].mac, buffer);
    push_resolution(id, announcement_target(address.family), address.family, buffer, length, out);
  }
}

void Transmitter::ask_for_owner(const wire::Address& address, TransmitQueue& out) {
  const std::vector<Port>& ports = route_table_->ports();
  for (PortId id = 0; id < ports.size(); id++) {
    const wire::Address* const own = own_address_beside(ports[id], address);
    if (own == nullptr) continue;
    uint8_t* buffer = take_buffer(resolution_reply_room);
    if (buffer == nullptr) return;
    const uint32_t length = write_resolution_request(address, *own, ports[id].mac, buffer);
    push_resolution(id, resolution_target(address), address.family, buffer, length, out);
  }
}

// Sends a message that no frame has caused to all hosts of the link.
void Transmitter::push_resolution(PortId port, const wire::MacAddress& to, wire::Family family, uint8_t* payload,
                                  uint32_t length, TransmitQueue& out) {
  NextHop all;
  all.port = port;
  all.source = route_table_->ports()[port].mac;
  all.destination = to;
  Frame frame;
  frame.port = port;
  const bool is_v4 = family == wire::Family::ipv4;
  push(frame, wire::Packet{}, payload, length, is_v4 ? wire::ethertype::arp : wire::ethertype::ipv6, all, out);
}

void Transmitter::answer(const Frame& question, const wire::Packet& packet, uint8_t* payload, uint32_t length,
                         uint16_t type, const wire::MacAddress& to, TransmitQueue& out) {
  NextHop hop;
  hop.port = question.port;
  hop.source = route_table_->ports()[question.port].mac;
  hop.destination = to;
  Frame answer;
  answer.port = question.port;
  push(answer, packet, payload, length, type, hop, out);
}

}  // namespace sluice::director
