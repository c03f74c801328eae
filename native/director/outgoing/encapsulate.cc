// SPDX-License-Identifier: Apache-2.0
// Tunnels to real servers, as the kernel's IPVS builds them: IP in IP (RFC 2003, RFC 2473), GUE over UDP, GRE.
#include "director/outgoing/outgoing.h"
#include "wire/gre.h"
#include "wire/gue.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/udp.h"

namespace sluice::director {

namespace {

// ECN (RFC 3168 9.1.1, full functionality): a congestion mark is not copied outside but starts as ECT(0) there.
constexpr uint8_t ecn_mask = 0x03, ecn_congestion = 0x03, ecn_capable = 0x02;
uint8_t outer_traffic_class(uint8_t inner) {
  return (inner & ecn_mask) == ecn_congestion ? static_cast<uint8_t>((inner & ~ecn_mask) | ecn_capable) : inner;
}

// What the 16 bits of a length field can say. IPv6's does not count its own header; nothing here is longer either.
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

// The source port spreads flows over paths (RFC 7510 style): from a hash of the inner addresses and ports, in the range
// of dynamic ports that the kernel uses too. All packets of a flow take the same way, and so do all fragments of a
// datagram: their ports do not count, as only the first fragment has them.
uint16_t entropy_port(const IpPacket& inner) {
  constexpr uint32_t first = 32768, count = 28232;  // net.ipv4.ip_local_port_range
  constexpr uint32_t golden_ratio = 0x9e3779b1;     // 2^32 / phi: a product's upper bits depend on all of the factor's
  const wire::Bytes bytes(inner.data, inner.length);
  const bool is_v4 = inner.family == wire::Family::ipv4;
  const size_t addresses = is_v4 ? 12 : 8;
  const size_t size = is_v4 ? 8 : 32;
  const uint8_t protocol = is_v4 ? wire::Ipv4View(bytes).protocol() : wire::Ipv6View(bytes).next_header();
  uint32_t hash = protocol;
  for (size_t i = 0; i < size; i += 4) hash = (hash ^ wire::load_be32(inner.data + addresses + i)) * golden_ratio;
  const bool has_ports =
      protocol == wire::protocol::tcp || protocol == wire::protocol::udp || protocol == wire::protocol::sctp;
  const bool is_fragment = is_v4 && wire::Ipv4View(bytes).is_fragment();
  const size_t ports = is_v4 ? wire::Ipv4View(bytes).header_length() : wire::Ipv6View::header_length;
  if (has_ports && !is_fragment && inner.length >= ports + 4) {
    hash = (hash ^ wire::load_be32(inner.data + ports)) * golden_ratio;
  }
  return static_cast<uint16_t>(first + (uint64_t{hash} * count >> 32));
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
    ip.id = fields.dont_fragment ? 0 : outer.id;  // an atomic datagram's id means nothing (RFC 6864)
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
    const uint16_t source_port = entropy_port(packet);
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

}  // namespace sluice::director
