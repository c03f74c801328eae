// SPDX-License-Identifier: Apache-2.0
// The ICMP messages that the director writes itself (RFC 792, RFC 1812 4.3, RFC 4443 2.4).
#include <algorithm>
#include <array>

#include "director/outgoing/ip_options.h"
#include "director/outgoing/outgoing.h"
#include "wire/icmp.h"
#include "wire/icmpv6.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/packet.h"

namespace sluice::director {

namespace {

// The largest length of an error: RFC 1812 4.3.2.3; RFC 4443 2.4c.
constexpr uint32_t longest_error_v4 = 576, longest_error_v6 = 1280;
constexpr uint8_t own_hop_limit = 64;
// Precedence "internetwork control" (RFC 1812 4.3.2.5); the sender's type of service is kept.
constexpr uint8_t internetwork_control = 0xc0, type_of_service_mask = 0x1e;

// In IPv4, echo and the types from timestamp to address mask reply are queries. As in the kernel, all other types count
// as errors, also undefined ones.
bool is_error_message(uint8_t type, wire::Family family) {
  if (family == wire::Family::ipv6) return type < wire::icmpv6_type::first_informational;
  constexpr uint8_t address_mask_reply = 18;
  const bool is_echo = type == wire::icmp_type::echo_request || type == wire::icmp_type::echo_reply;
  return !is_echo && (type < wire::icmp_type::timestamp_request || type > address_mask_reply);
}

bool is_one_host(wire::Ipv4Address address) {
  const uint8_t first = static_cast<uint8_t>(address.raw);  // the first byte on the wire
  return first != 0 && first != 127 && first < 224;
}

bool is_one_host(const wire::Ipv6Address& address) {
  const uint8_t first = static_cast<uint8_t>(address.raw[0]);
  return first != 0xff && !(address == wire::Ipv6Address{});
}

// RFC 4443 2.4e.3: the two errors that a multicast packet may cause, for path-MTU discovery and for options.
bool may_concern_multicast(const IcmpError& error) {
  constexpr uint8_t unrecognized_option = 2;
  return error.type == wire::icmpv6_type::packet_too_big ||
         (error.type == wire::icmpv6_type::parameter_problem && error.code == unrecognized_option);
}

// Packets about which RFC 1812 4.3.2.7 and RFC 4443 2.4e forbid an error.
bool may_be_answered(const IpPacket& about, const wire::Packet& packet, const IcmpError& error) {
  if (packet.fragment == wire::Fragment::later) return false;
  const bool is_v4 = about.family == wire::Family::ipv4;
  if (packet.protocol == (is_v4 ? wire::protocol::icmp : wire::protocol::icmpv6)) {
    if (packet.l4 >= about.length || is_error_message(about.data[packet.l4], about.family)) return false;
  }
  if (is_v4) {
    const wire::Ipv4View ip(wire::Bytes(about.data, about.length));
    return is_one_host(ip.source()) && is_one_host(ip.destination());
  }
  const wire::Ipv6View ip(wire::Bytes(about.data, about.length));
  return is_one_host(ip.source()) && (is_one_host(ip.destination()) || may_concern_multicast(error));
}

// The options of an answer to a packet. As in the kernel, the packet has recorded this host in its route before it is
// answered, and the answer's copy of the option records it once more.
struct EchoedOptions {
  std::array<uint8_t, echoed_options_room> recorded{};  // the packet's own options after recording
  std::array<uint8_t, echoed_options_room> options{};
  size_t size = 0;

  EchoedOptions(const wire::Ipv4View& packet, wire::Ipv4Address here) {
    const wire::Bytes before = packet.options();
    const wire::MutableBytes now(recorded.data(), before.size());
    std::copy(before.begin(), before.end(), now.begin());
    record_route(now, here);
    size = echo_options(now, here, options.data());
  }
};

uint32_t write_icmpv4(const IpPacket& about, const IcmpError& error, const wire::Address& source, uint16_t id,
                      uint8_t* to) {
  const wire::Ipv4View cause(wire::Bytes(about.data, about.length));
  const EchoedOptions echoed(cause, source.v4());
  const auto ip_header = static_cast<uint32_t>(wire::Ipv4View::minimum_header_length + echoed.size);
  const auto headers = static_cast<uint32_t>(ip_header + wire::IcmpView::header_length);
  const uint32_t quoted = std::min(about.length, longest_error_v4 - headers);
  wire::Ipv4Fields ip;
  ip.tos = static_cast<uint8_t>((cause.tos() & type_of_service_mask) | internetwork_control);
  ip.total_length = static_cast<uint16_t>(headers + quoted);
  ip.id = id;
  ip.ttl = own_hop_limit;
  ip.protocol = wire::protocol::icmp;
  ip.source = source.v4();
  ip.destination = cause.source();
  emit(ip, to);
  if (echoed.size > 0) {
    std::memcpy(to + wire::Ipv4View::minimum_header_length, echoed.options.data(), echoed.size);
    to[0] = static_cast<uint8_t>(4 << 4 | ip_header / 4);
    wire::MutableIpv4View(wire::MutableBytes(to, ip_header)).fill_checksum();
  }
  uint8_t* message = to + ip_header;
  emit(wire::IcmpFields{error.type, error.code, error.rest}, message);
  uint8_t* quotation = message + wire::IcmpView::header_length;
  std::memcpy(quotation, about.data, quoted);
  // As in the kernel, the checksum of the quoted header stays the old one.
  std::memcpy(quotation + wire::Ipv4View::minimum_header_length, echoed.recorded.data(), cause.options().size());
  wire::MutableIcmpView(wire::MutableBytes(message, wire::IcmpView::header_length + quoted)).fill_checksum();
  return headers + quoted;
}

uint32_t write_icmpv6(const IpPacket& about, const IcmpError& error, const wire::Address& source, uint8_t* to) {
  constexpr uint32_t headers = wire::Ipv6View::header_length + wire::Icmpv6View::header_length;
  const wire::Ipv6View cause(wire::Bytes(about.data, about.length));
  const uint32_t quoted = std::min(about.length, longest_error_v6 - headers);
  const uint32_t length = wire::Icmpv6View::header_length + quoted;
  wire::Ipv6Fields ip;
  ip.payload_length = static_cast<uint16_t>(length);
  ip.next_header = wire::protocol::icmpv6;
  ip.hop_limit = own_hop_limit;
  ip.source = source.v6();
  ip.destination = cause.source();
  emit(ip, to);
  uint8_t* message = to + wire::Ipv6View::header_length;
  emit(wire::Icmpv6Fields{error.type, error.code, error.rest}, message);
  std::memcpy(message + wire::Icmpv6View::header_length, about.data, quoted);
  wire::MutableIcmpv6View(wire::MutableBytes(message, length))
      .fill_checksum(wire::pseudo_header_sum(ip.source, ip.destination, wire::protocol::icmpv6, length));
  return headers + quoted;
}

}  // namespace

uint32_t write_icmp_error(const IpPacket& about, const IcmpError& error, const wire::Address& source, uint16_t id,
                          uint8_t* to) {
  wire::Packet packet;
  if (wire::dissect_quoted(wire::Bytes(about.data, about.length), packet) != wire::Malformed::ok) return 0;
  if (packet.family() != about.family || source.family != about.family || source.is_unspecified()) return 0;
  if (!may_be_answered(about, packet, error)) return 0;
  return about.family == wire::Family::ipv4 ? write_icmpv4(about, error, source, id, to)
                                            : write_icmpv6(about, error, source, to);
}

namespace {

// Removes the options that a reply does not carry; the packet then begins later.
void echo_options_in_place(IpPacket& packet) {
  const wire::Ipv4View request(wire::Bytes(packet.data, packet.length));
  const auto before = static_cast<uint32_t>(request.header_length());
  if (before == wire::Ipv4View::minimum_header_length) return;
  const EchoedOptions echoed(request, request.destination());
  const auto after = static_cast<uint32_t>(wire::Ipv4View::minimum_header_length + echoed.size);
  const uint32_t less = before - after;
  std::memmove(packet.data + less, packet.data, wire::Ipv4View::minimum_header_length);
  packet.data += less;
  packet.length -= less;
  std::memcpy(packet.data + wire::Ipv4View::minimum_header_length, echoed.options.data(), echoed.size);
  packet.data[0] = static_cast<uint8_t>(4 << 4 | after / 4);
  wire::MutableIpv4View(wire::MutableBytes(packet.data, packet.length))
      .set_total_length(static_cast<uint16_t>(packet.length));
}

}  // namespace

void turn_echo_around(IpPacket& packet, uint32_t transport, uint16_t id) {
  const wire::MutableBytes message(packet.data + transport, packet.length - transport);
  if (packet.family == wire::Family::ipv4) {
    echo_options_in_place(packet);
    wire::MutableIpv4View ip(wire::MutableBytes(packet.data, packet.length));
    const wire::Ipv4Address client = ip.source();
    ip.set_source(ip.destination());
    ip.set_destination(client);
    ip.set_ttl(own_hop_limit);
    ip.set_id(id);
    ip.set_flags_and_offset(0);
    wire::MutableIpv4View(ip.bytes()).fill_checksum();
    wire::MutableIcmpView icmp(message);
    icmp.set_type(wire::icmp_type::echo_reply);
    icmp.fill_checksum();
    return;
  }
  wire::MutableIpv6View ip(wire::MutableBytes(packet.data, packet.length));
  const wire::Ipv6Address client = ip.source();
  ip.set_source(ip.destination());
  ip.set_destination(client);
  ip.set_hop_limit(own_hop_limit);
  // The label belongs to the client's flow, not to the reply's. The traffic class is kept, as IPv4's TOS is.
  constexpr uint32_t version_and_class = 0xfff00000;
  wire::store_be32(packet.data, wire::load_be32(packet.data) & version_and_class);
  wire::MutableIcmpv6View icmp(message);
  icmp.set_type(wire::icmpv6_type::echo_reply);
  icmp.fill_checksum(wire::pseudo_header_sum(ip.source(), ip.destination(), wire::protocol::icmpv6,
                                             static_cast<uint32_t>(message.size())));
}

}  // namespace sluice::director
