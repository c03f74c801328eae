// SPDX-License-Identifier: Apache-2.0
// Tunnels to real servers, as the kernel's IPVS builds them: IP in IP (RFC 2003, RFC 2473), GUE over UDP, GRE.
#include <algorithm>

#include "director/outgoing/outgoing.h"
#include "wire/gre.h"
#include "wire/gue.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/udp.h"

namespace sluice::director {

namespace {

// The largest value of a 16-bit length field. IPv6's does not count its own header, but no packet here is longer
// either.
constexpr uint32_t longest_packet = wire::Ipv4View::maximum_length;

uint32_t ip_header_length(wire::Family family) {
  return family == wire::Family::ipv4 ? wire::Ipv4View::minimum_header_length : wire::Ipv6View::header_length;
}

wire::GueFields gue_fields(const Tunnel& tunnel, uint8_t protocol, bool partial) {
  wire::GueFields fields;
  fields.protocol = protocol;
  if (tunnel.remote_checksum && partial) fields.remote_checksum = wire::RemoteChecksum{};
  return fields;
}

wire::GreFields gre_fields(const Tunnel& tunnel, wire::Family inner) {
  wire::GreFields fields;
  fields.type = inner == wire::Family::ipv4 ? wire::ethertype::ipv4 : wire::ethertype::ipv6;
  fields.checksum = tunnel.checksum;
  return fields;
}

uint16_t entropy_port_of(const IpPacket& inner) {
  const wire::Bytes bytes(inner.data, inner.length);
  const bool is_v4 = inner.family == wire::Family::ipv4;
  const uint8_t protocol = is_v4 ? wire::Ipv4View(bytes).protocol() : wire::Ipv6View(bytes).next_header();
  const bool has_ports =
      protocol == wire::protocol::tcp || protocol == wire::protocol::udp || protocol == wire::protocol::sctp;
  const bool is_fragment = is_v4 && wire::Ipv4View(bytes).is_fragment();
  const size_t ports = is_v4 ? wire::Ipv4View(bytes).header_length() : wire::Ipv6View::header_length;
  const bool counts_ports = has_ports && !is_fragment && inner.length >= ports + 4;
  return entropy_port(protocol, inner.data + (is_v4 ? 12 : 8), is_v4 ? 8 : 32,
                      counts_ports ? inner.data + ports : nullptr);
}

void wrap_in_udp(IpPacket& packet, uint16_t source_port, const Tunnel& tunnel, const OuterHeader& outer,
                 bool with_checksum) {
  packet.data -= wire::UdpView::header_length;
  packet.length += wire::UdpView::header_length;
  emit(wire::UdpFields{source_port, tunnel.port, static_cast<uint16_t>(packet.length)}, packet.data);
  if (!with_checksum) return;
  const wire::Sum pseudo_header =
      outer.destination.family == wire::Family::ipv4
          ? wire::pseudo_header_sum(outer.source.v4(), outer.destination.v4(), wire::protocol::udp, packet.length)
          : wire::pseudo_header_sum(outer.source.v6(), outer.destination.v6(), wire::protocol::udp, packet.length);
  wire::MutableUdpView(wire::MutableBytes(packet.data, packet.length)).fill_checksum(pseudo_header);
}

struct OuterFields {
  uint8_t protocol, traffic_class, hops;
  bool dont_fragment;
};

void write_outer_ip(IpPacket& packet, const OuterHeader& outer, const OuterFields& fields) {
  packet.family = outer.destination.family;
  const uint32_t header = ip_header_length(packet.family);
  const uint32_t payload = packet.length;
  packet.data -= header;
  packet.length += header;
  if (packet.family == wire::Family::ipv4) {
    wire::Ipv4Fields ip;
    ip.tos = fields.traffic_class;
    ip.total_length = static_cast<uint16_t>(packet.length);
    ip.id = fields.dont_fragment ? 0 : outer.id;  // the id of an atomic datagram has no meaning (RFC 6864)
    ip.flags_and_offset = fields.dont_fragment ? wire::Ipv4View::dont_fragment : 0;
    ip.ttl = fields.hops;
    ip.protocol = fields.protocol;
    ip.source = outer.source.v4();
    ip.destination = outer.destination.v4();
    emit(ip, packet.data);
  } else {
    wire::Ipv6Fields ip;
    ip.traffic_class = fields.traffic_class;
    ip.payload_length = static_cast<uint16_t>(payload);
    ip.next_header = fields.protocol;
    ip.hop_limit = fields.hops;
    ip.source = outer.source.v6();
    ip.destination = outer.destination.v6();
    emit(ip, packet.data);
  }
}

}  // namespace

uint32_t tunnel_overhead(const Tunnel& tunnel, wire::Family outer, bool partial) {
  const uint32_t ip = ip_header_length(outer);
  switch (tunnel.encapsulation) {
    case Encapsulation::gue:
      return ip + static_cast<uint32_t>(wire::UdpView::header_length + gue_fields(tunnel, 0, partial).header_length());
    case Encapsulation::gre:
      return ip + static_cast<uint32_t>(gre_fields(tunnel, wire::Family::ipv4).header_length());
    case Encapsulation::ipip:
      break;
  }
  return ip;
}

bool encapsulate(IpPacket& packet, const Tunnel& tunnel, const OuterHeader& outer, bool partial,
                 uint16_t checksum_start, uint16_t checksum_offset) {
  if (packet.length + tunnel_overhead(tunnel, outer.destination.family, partial) > longest_packet) return false;
  const wire::Family inner_family = packet.family;
  const bool inner4 = inner_family == wire::Family::ipv4;
  const uint8_t inner_class = inner4 ? packet.data[1] : static_cast<uint8_t>(wire::load_be16(packet.data) >> 4);
  const uint8_t hops = packet.data[inner4 ? 8 : 7];
  const bool dont_fragment = inner4 && outer.copy_dont_fragment && (packet.data[6] & 0x40) != 0;
  uint8_t protocol = inner4 ? wire::protocol::ipip : wire::protocol::ipv6;

  if (tunnel.encapsulation == Encapsulation::gue) {
    const uint16_t source_port = entropy_port_of(packet);
    wire::GueFields fields = gue_fields(tunnel, protocol, partial);
    if (fields.remote_checksum) {
      *fields.remote_checksum = {checksum_start, static_cast<uint16_t>(checksum_start + checksum_offset)};
    }
    const auto length = static_cast<uint32_t>(fields.header_length());
    packet.data -= length;
    packet.length += length;
    emit(fields, packet.data);
    wrap_in_udp(packet, source_port, tunnel, outer, tunnel.checksum || tunnel.remote_checksum);
    protocol = wire::protocol::udp;
  } else if (tunnel.encapsulation == Encapsulation::gre) {
    const wire::GreFields fields = gre_fields(tunnel, inner_family);
    const auto length = static_cast<uint32_t>(fields.header_length());
    packet.data -= length;
    packet.length += length;
    emit(fields, wire::MutableBytes(packet.data, packet.length));
    protocol = wire::protocol::gre;
  }

  write_outer_ip(packet, outer, {protocol, outer_traffic_class(inner_class), hops, dont_fragment});
  return true;
}

OuterHeaders prepare_outer_headers(const Tunnel& tunnel, wire::Family inner, const wire::Address& source,
                                   const wire::Address& destination, uint32_t mtu) {
  OuterHeaders headers{};
  const uint32_t overhead = tunnel_overhead(tunnel, destination.family, false);
  if (tunnel.checksum || tunnel.remote_checksum || overhead > OuterHeaders::room) return headers;
  if (mtu < overhead + smallest_mtu(destination.family)) return headers;

  // Made by encapsulating a packet of zeros.
  std::array<uint8_t, OuterHeaders::room + wire::Ipv6View::header_length> bytes{};
  IpPacket packet{bytes.data() + OuterHeaders::room, ip_header_length(inner), inner};
  if (!encapsulate(packet, tunnel, {source, destination, 0, false}, false, 0, 0)) return headers;
  if (destination.family == wire::Family::ipv4) {
    wire::store_be16(packet.data + 2, 0);
    packet.data[0] = 0;
    packet.data[10] = packet.data[11] = 0;
    wire::store_raw16(packet.data + 10,
                      wire::fold(wire::sum_bytes({packet.data, wire::Ipv4View::minimum_header_length})));
  }
  std::copy_n(bytes.begin(), OuterHeaders::room, headers.bytes.begin());
  headers.length = static_cast<uint8_t>(overhead);
  if (tunnel.encapsulation == Encapsulation::gue) {
    headers.udp_length = static_cast<uint8_t>(overhead - ip_header_length(destination.family));
  }
  headers.longest = static_cast<uint16_t>(std::min(mtu, longest_packet) - overhead);
  return headers;
}

}  // namespace sluice::director
