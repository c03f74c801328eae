// SPDX-License-Identifier: Apache-2.0
#include "decap/decapsulate.h"

#include <algorithm>
#include <optional>
#include <string>

#include "wire/checksum.h"
#include "wire/gre.h"
#include "wire/gue.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/tcp.h"
#include "wire/udp.h"

namespace sluice::decap {

namespace {

using wire::MutableBytes;

// The contents of the tunnel's own header.
struct Carried {
  Reason reason = Reason::delivered;
  uint8_t protocol = 0;  // ipip or ipv6
  MutableBytes packet;
  std::optional<wire::RemoteChecksum> remote_checksum;
};

Carried carried_in_gre(MutableBytes payload) {
  const auto gre = wire::GreView::parse(payload);
  if (!gre) return {.reason = Reason::bad_tunnel_header};
  if (!gre->is_checksum_ok()) return {.reason = Reason::bad_tunnel_checksum};
  const MutableBytes packet = payload.subspan(gre->header_length());
  if (gre->type() == wire::ethertype::ipv4) return {.protocol = wire::protocol::ipip, .packet = packet};
  if (gre->type() == wire::ethertype::ipv6) return {.protocol = wire::protocol::ipv6, .packet = packet};
  return {.reason = Reason::other_payload};
}

Carried carried_in_gue(MutableBytes payload) {
  const auto gue = wire::GueView::parse(payload);
  if (!gue) return {.reason = Reason::bad_tunnel_header};
  if (gue->is_control()) return {.reason = Reason::control_message};
  return {.protocol = gue->protocol(),
          .packet = payload.subspan(gue->header_length()),
          .remote_checksum = gue->remote_checksum()};
}

Carried carried_in(const Arrived& arrived) {
  if (arrived.protocol == wire::protocol::gre) return carried_in_gre(arrived.payload);
  if (arrived.protocol == wire::protocol::udp) return carried_in_gue(arrived.payload);
  return {.protocol = arrived.protocol, .packet = arrived.payload};
}

// RFC 6040 4.2: the new inner mark, from the inner and the outer one. Nothing if the packet must be dropped.
constexpr uint8_t ecn_mask = 3, not_capable = 0, capable_1 = 1, capable_0 = 2, congested = 3;
std::optional<uint8_t> combined_mark(uint8_t inner, uint8_t outer) {
  if (outer == congested) return inner == not_capable ? std::nullopt : std::optional(congested);
  if (outer == capable_1 && inner == capable_0) return capable_1;
  return inner;
}

// False if the packet must be dropped.
bool combine_marks(wire::MutableIpv4View ip, uint8_t outer) {
  const auto mark = combined_mark(ip.tos() & ecn_mask, outer & ecn_mask);
  if (!mark) return false;
  const uint16_t before =
      wire::load_raw16(ip.bytes().data());  // version, header length and TOS form one word of the sum
  ip.set_tos(static_cast<uint8_t>((ip.tos() & ~ecn_mask) | *mark));
  ip.set_checksum(wire::updated_checksum(ip.checksum(), wire::change16(before, wire::load_raw16(ip.bytes().data()))));
  return true;
}
bool combine_marks(wire::MutableIpv6View ip, uint8_t outer) {
  const auto mark = combined_mark(ip.traffic_class() & ecn_mask, outer & ecn_mask);
  if (!mark) return false;
  ip.set_traffic_class(static_cast<uint8_t>((ip.traffic_class() & ~ecn_mask) | *mark));
  return true;
}

// Where a packet's transport header begins, and the pseudo-header's part of its checksum.
struct Transport {
  uint8_t protocol = wire::protocol::no_next_header;  // no_next_header if the transport header is not whole
  uint16_t start = 0;
  wire::Sum pseudo_header = 0;
};

Transport transport_of(wire::MutableIpv4View ip) {
  if (ip.is_fragment()) return {};
  const auto length = static_cast<uint32_t>(ip.payload().size());
  return {ip.protocol(), static_cast<uint16_t>(ip.header_length()),
          wire::pseudo_header_sum(ip.source(), ip.destination(), ip.protocol(), length)};
}
Transport transport_of(wire::MutableIpv6View ip) {
  wire::Ipv6Chain chain;
  if (walk_extension_headers(wire::Ipv6View(ip.bytes()), chain) != wire::Malformed::ok || chain.fragment_header != 0) {
    return {};
  }
  const auto length = static_cast<uint32_t>(ip.bytes().size() - chain.transport);
  return {chain.protocol, chain.transport,
          wire::pseudo_header_sum(ip.source(), ip.destination(), chain.protocol, length)};
}

// The offset of the transport checksum in its header. Nothing for protocols whose checksum no device computes.
std::optional<uint16_t> checksum_place(uint8_t protocol) {
  if (protocol == wire::protocol::tcp) return wire::TcpView::checksum_offset;
  if (protocol == wire::protocol::udp) return wire::UdpView::checksum_offset;
  return std::nullopt;
}

void note_partial_checksum(const Transport& transport, Inner& inner) {
  const auto place = checksum_place(transport.protocol);
  if (!place || inner.packet.size() < transport.start + *place + 2u) return;
  const MutableBytes segment = inner.packet.subspan(transport.start);
  if (wire::load_raw16(segment.data() + *place) != wire::fold(transport.pseudo_header)) [[likely]]
    return;
  // A complete checksum may happen to be the same number.
  if (wire::fold(wire::sum_bytes(segment, transport.pseudo_header)) == 0xffff) return;
  inner.is_partial = true;
  inner.checksum_start = transport.start;
  inner.checksum_offset = *place;
}

// False if the option does not point into the packet's payload.
bool note_remote_checksum(const wire::RemoteChecksum& remote, const Transport& transport, Inner& inner) {
  if (transport.start == 0 || remote.start < transport.start || remote.offset < remote.start) return false;
  if (inner.packet.size() < remote.offset + 2u) return false;
  inner.is_partial = true;
  inner.checksum_start = remote.start;
  inner.checksum_offset = static_cast<uint16_t>(remote.offset - remote.start);
  return true;
}

bool is_one_of(const wire::Address& address, std::span<const wire::Address> addresses) {
  return addresses.empty() || std::ranges::find(addresses, address) != addresses.end();
}

// The part that both families share. The header has been checked.
template <class View>
Inner checked(View ip, const Carried& carried, uint8_t outer_class, std::span<const wire::Address> addresses) {
  if (!is_one_of(ip.destination(), addresses)) return {.reason = Reason::other_destination};
  Inner inner{.packet = ip.bytes()};
  const Transport transport = transport_of(ip);
  if (!carried.remote_checksum) {
    note_partial_checksum(transport, inner);
  } else if (!note_remote_checksum(*carried.remote_checksum, transport, inner)) {
    return {.reason = Reason::bad_remote_checksum};
  }
  if (!combine_marks(ip, outer_class)) return {.reason = Reason::congestion};
  return inner;
}

}  // namespace

std::string_view reason_name(Reason reason) {
  static constexpr auto names = std::to_array<std::string_view>({
#define REASON(identifier, meaning) #identifier,
#include "decap/reasons.def"
#undef REASON
  });
  static const auto dashed = [] {
    std::array<std::string, reason_count> all;
    for (size_t i = 0; i < reason_count; i++) {
      all[i] = names[i];
      std::ranges::replace(all[i], '_', '-');
    }
    return all;
  }();
  return dashed[static_cast<size_t>(reason)];
}

bool strip_ipv4(MutableBytes datagram, Arrived& arrived) {
  const auto ip = wire::MutableIpv4View::parse(datagram);
  if (!ip) return false;
  arrived = {ip->protocol(), ip->tos(), ip->payload()};
  return true;
}

Inner decapsulate(const Arrived& arrived, std::span<const wire::Address> addresses) {
  const Carried carried = carried_in(arrived);
  if (carried.reason != Reason::delivered) return {.reason = carried.reason};
  if (carried.protocol == wire::protocol::ipip) {
    const auto ip = wire::MutableIpv4View::parse(carried.packet);
    if (!ip) return {.reason = Reason::bad_inner_header};
    if (!ip->is_checksum_ok()) return {.reason = Reason::bad_inner_checksum};
    return checked(*ip, carried, arrived.traffic_class, addresses);
  }
  if (carried.protocol == wire::protocol::ipv6) {
    const auto ip = wire::MutableIpv6View::parse(carried.packet);
    if (!ip) return {.reason = Reason::bad_inner_header};
    return checked(*ip, carried, arrived.traffic_class, addresses);
  }
  return {.reason = Reason::other_payload};
}

}  // namespace sluice::decap
