// SPDX-License-Identifier: Apache-2.0
#include "probe/segments.h"

#include <array>
#include <cerrno>

#include "wire/gre.h"
#include "wire/gue.h"
#include "wire/icmp.h"
#include "wire/icmpv6.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/tcp.h"
#include "wire/udp.h"

namespace sluice::probe {

namespace {

constexpr uint8_t hop_limit = 64;
constexpr uint16_t window = 65535;
constexpr std::array<uint8_t, 4> greatest_segment = {wire::tcp_option::mss, 4, 1460 >> 8, 1460 & 0xff};
// Ports and, for TCP, the sequence number: all that an ICMP error has to quote of a segment (RFC 792).
constexpr size_t least_quoted = 8;

wire::Sum pseudo_header(const wire::Address& from, const wire::Address& to, uint8_t protocol, size_t length) {
  const auto size = static_cast<uint32_t>(length);
  return from.family == wire::Family::ipv4 ? wire::pseudo_header_sum(from.v4(), to.v4(), protocol, size)
                                           : wire::pseudo_header_sum(from.v6(), to.v6(), protocol, size);
}

void write_ip_header(const Ends& ends, size_t length, uint8_t* to) {
  if (ends.local.family == wire::Family::ipv4) {
    wire::emit(wire::Ipv4Fields{.total_length = static_cast<uint16_t>(length),
                                .flags_and_offset = wire::Ipv4View::dont_fragment,
                                .ttl = hop_limit,
                                .protocol = wire::protocol::tcp,
                                .source = ends.local.v4(),
                                .destination = ends.service.v4()},
               to);
    return;
  }
  wire::emit(wire::Ipv6Fields{.payload_length = static_cast<uint16_t>(length - wire::Ipv6View::header_length),
                              .next_header = wire::protocol::tcp,
                              .hop_limit = hop_limit,
                              .source = ends.local.v6(),
                              .destination = ends.service.v6()},
             to);
}

size_t ip_header_length(wire::Family family) {
  return family == wire::Family::ipv4 ? wire::Ipv4View::minimum_header_length : wire::Ipv6View::header_length;
}

bool is_ipv4(wire::Bytes packet) {
  return !packet.empty() && packet[0] >> 4 == 4;
}

// An IP packet, whole or quoted: its addresses, and what they carry.
struct Carried {
  wire::Address source, destination;
  uint8_t protocol = 0;
  wire::Bytes payload;
};

std::optional<Carried> carried(wire::Bytes packet, bool is_quoted) {
  if (is_ipv4(packet)) {
    const auto ip = is_quoted ? wire::Ipv4View::parse_quoted(packet) : wire::Ipv4View::parse(packet);
    if (!ip || ip->is_fragment()) return {};
    return Carried{ip->source(), ip->destination(), ip->protocol(), ip->payload()};
  }
  const auto ip = is_quoted ? wire::Ipv6View::parse_quoted(packet) : wire::Ipv6View::parse(packet);
  if (!ip) return {};
  return Carried{ip->source(), ip->destination(), ip->next_header(), ip->payload()};
}

// The packet inside of a quoted one; the quoted one itself if it is not wrapped.
wire::Bytes unwrapped(wire::Bytes packet) {
  const auto outer = carried(packet, true);
  if (!outer) return {};
  switch (outer->protocol) {
    case wire::protocol::ipip:
    case wire::protocol::ipv6:
      return outer->payload;
    case wire::protocol::gre: {
      const auto gre = wire::GreView::parse(outer->payload);
      return gre ? gre->payload() : wire::Bytes{};
    }
    case wire::protocol::udp: {
      if (outer->payload.size() < wire::UdpView::header_length) return {};
      const auto gue = wire::GueView::parse(outer->payload.subspan(wire::UdpView::header_length));
      return gue ? gue->payload() : wire::Bytes{};
    }
    default:
      return packet;
  }
}

// As the kernel tells programs (icmp_err_convert); 0 for an error that ends nothing.
int error_of_icmp(uint8_t type, uint8_t code) {
  if (type != wire::icmp_type::unreachable) return 0;
  switch (code) {
    case wire::icmp_code::network:
    case wire::icmp_code::network_prohibited:
      return ENETUNREACH;
    case wire::icmp_code::protocol:
      return ENOPROTOOPT;
    case wire::icmp_code::port:
      return ECONNREFUSED;
    case wire::icmp_code::fragmentation_needed:
      return 0;
    default:
      return EHOSTUNREACH;
  }
}

int error_of_icmpv6(uint8_t type, uint8_t code) {
  constexpr uint8_t unknown_next_header = 1;
  if (type == wire::icmpv6_type::parameter_problem) return code == unknown_next_header ? EPROTO : 0;
  if (type != wire::icmpv6_type::unreachable) return 0;
  if (code == wire::icmpv6_code::port) return ECONNREFUSED;
  return code == wire::icmpv6_code::no_route ? ENETUNREACH : EHOSTUNREACH;
}

std::optional<Arrived> quoted_by_error(wire::Bytes message, int error, size_t header_length) {
  if (error == 0) return {};
  const auto quoted = carried(unwrapped(message.subspan(header_length)), true);
  if (!quoted || quoted->protocol != wire::protocol::tcp || quoted->payload.size() < least_quoted) return {};
  const uint8_t* const tcp = quoted->payload.data();
  Arrived found;
  found.ends = {quoted->source, quoted->destination, wire::load_be16(tcp), wire::load_be16(tcp + 2)};
  found.error = error;
  found.quoted_sequence = wire::load_be32(tcp + 4);
  return found;
}

}  // namespace

Packet segment_of(const Ends& ends, uint8_t flags, uint32_t sequence) {
  const bool is_first = (flags & wire::tcp_flag::syn) != 0;
  const wire::TcpFields fields = {.source_port = ends.local_port,
                                  .destination_port = ends.service_port,
                                  .sequence = sequence,
                                  .flags = flags,
                                  .window = window,
                                  .options = is_first ? wire::Bytes(greatest_segment) : wire::Bytes{}};
  const size_t ip_length = ip_header_length(ends.local.family);
  Packet packet(ip_length + wire::TcpView::minimum_header_length + fields.options.size());
  write_ip_header(ends, packet.size(), packet.data());
  const auto tcp = wire::MutableBytes(packet).subspan(ip_length);
  wire::emit(fields, tcp.data());
  wire::MutableTcpView(tcp).fill_checksum(pseudo_header(ends.local, ends.service, wire::protocol::tcp, tcp.size()));
  return packet;
}

Wrapped wrap(const Packet& inner, const TrafficWay& way, const wire::Address& local, uint16_t source_port) {
  const bool holds_ipv4 = is_ipv4(inner);
  const uint8_t inner_protocol = holds_ipv4 ? wire::protocol::ipip : wire::protocol::ipv6;
  if (way.wrapping == Wrapping::gre) {
    const wire::GreFields fields = {.type = holds_ipv4 ? wire::ethertype::ipv4 : wire::ethertype::ipv6,
                                    .checksum = way.has_checksum};
    Packet payload(fields.header_length());
    payload.insert(payload.end(), inner.begin(), inner.end());
    wire::emit(fields, payload);
    return {wire::protocol::gre, std::move(payload)};
  }
  if (way.wrapping != Wrapping::gue) return {inner_protocol, inner};
  const wire::GueFields fields = {.protocol = inner_protocol};
  Packet payload(wire::UdpView::header_length + fields.header_length());
  const auto length = static_cast<uint16_t>(payload.size() + inner.size());
  wire::emit(wire::UdpFields{.source_port = source_port, .destination_port = way.gue_port, .length = length},
             payload.data());
  wire::emit(fields, payload.data() + wire::UdpView::header_length);
  payload.insert(payload.end(), inner.begin(), inner.end());
  // UDP over IPv6 always has a checksum (RFC 8200 8.1).
  if (way.has_checksum || local.family == wire::Family::ipv6) {
    wire::MutableUdpView(wire::MutableBytes(payload))
        .fill_checksum(pseudo_header(local, way.server.address(), wire::protocol::udp, payload.size()));
  }
  return {wire::protocol::udp, std::move(payload)};
}

std::optional<Arrived> arrived(wire::Bytes packet) {
  const auto ip = carried(packet, false);
  if (!ip) return {};
  if (ip->protocol == wire::protocol::icmp && ip->source.family == wire::Family::ipv4) {
    const auto icmp = wire::IcmpView::parse(ip->payload);
    if (!icmp) return {};
    return quoted_by_error(ip->payload, error_of_icmp(icmp->type(), icmp->code()), wire::IcmpView::header_length);
  }
  if (ip->protocol == wire::protocol::icmpv6 && ip->source.family == wire::Family::ipv6) {
    const auto icmp = wire::Icmpv6View::parse(ip->payload);
    if (!icmp) return {};
    return quoted_by_error(ip->payload, error_of_icmpv6(icmp->type(), icmp->code()), wire::Icmpv6View::header_length);
  }
  if (ip->protocol != wire::protocol::tcp) return {};
  const auto tcp = wire::TcpView::parse(ip->payload);
  if (!tcp) return {};
  Arrived found;
  found.ends = {ip->destination, ip->source, tcp->destination_port(), tcp->source_port()};
  found.flags = tcp->flags();
  found.acknowledgement = tcp->acknowledgement();
  return found;
}

}  // namespace sluice::probe
