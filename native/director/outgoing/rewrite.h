// SPDX-License-Identifier: Apache-2.0
// Changes a packet's addresses and ports. A correct checksum stays correct, a wrong one stays wrong.
//
// Checksums are updated incrementally (RFC 1624), so the receiver still sees damage from before the director. A partial
// checksum holds the pseudo-header's sum: addresses count, ports do not. For SCTP's CRC an incremental update would not
// be cheaper than computing it; it is computed again only if a port changes (addresses do not count).
#pragma once

#include "director/outgoing/transit.h"
#include "wire/checksum.h"
#include "wire/icmp.h"
#include "wire/icmpv6.h"
#include "wire/sctp.h"
#include "wire/tcp.h"
#include "wire/udp.h"

namespace sluice::director {

namespace offset {
inline constexpr size_t ipv4_ttl = 8, ipv4_checksum = 10, ipv4_source = 12, ipv4_destination = 16;
inline constexpr size_t ipv6_hop_limit = 7, ipv6_source = 8, ipv6_destination = 24;
inline constexpr size_t icmp_identifier = 4;
}  // namespace offset

template <class A>
uint8_t hop_limit(const uint8_t* l3) {
  return l3[A::family == wire::Family::ipv4 ? offset::ipv4_ttl : offset::ipv6_hop_limit];
}

// Decrements the hop limit. The caller has checked that it is above one.
template <class A>
void decrement_hop_limit(uint8_t* l3) {
  if constexpr (A::family == wire::Family::ipv4) {
    const uint16_t before = wire::load_raw16(l3 + offset::ipv4_ttl);
    l3[offset::ipv4_ttl]--;
    const wire::Sum change = wire::change16(before, wire::load_raw16(l3 + offset::ipv4_ttl));
    uint8_t* checksum = l3 + offset::ipv4_checksum;
    wire::store_raw16(checksum, wire::updated_checksum(wire::load_raw16(checksum), change));
  } else {
    l3[offset::ipv6_hop_limit]--;
  }
}

// Puts both addresses into the IP header. Returns what that adds to a checksum over them.
template <class A>
wire::Sum replace_addresses(uint8_t* l3, const Endpoints<A>& from, const Endpoints<A>& to) {
  const wire::Sum change = wire::change(from.source, to.source) + wire::change(from.destination, to.destination);
  if constexpr (A::family == wire::Family::ipv4) {
    to.source.store(l3 + offset::ipv4_source);
    to.destination.store(l3 + offset::ipv4_destination);
    uint8_t* checksum = l3 + offset::ipv4_checksum;
    wire::store_raw16(checksum, wire::updated_checksum(wire::load_raw16(checksum), change));
  } else {
    to.source.store(l3 + offset::ipv6_source);
    to.destination.store(l3 + offset::ipv6_destination);
  }
  return change;
}

inline wire::Sum change_of_ports(uint16_t source, uint16_t new_source, uint16_t destination, uint16_t new_destination) {
  return wire::change16(wire::raw16(source), wire::raw16(new_source)) +
         wire::change16(wire::raw16(destination), wire::raw16(new_destination));
}

// Replaces the identifier of an echo message, which counts as the port of the side that asked. `addresses`: what the
// change of addresses adds to a sum. ICMPv6's checksum covers the addresses, ICMP's does not.
template <class A>
void replace_identifier(uint8_t* message, const Endpoints<A>& to, wire::Sum addresses, bool partial) {
  constexpr bool is_v4 = A::family == wire::Family::ipv4;
  constexpr uint8_t request = is_v4 ? wire::icmp_type::echo_request : wire::icmpv6_type::echo_request;
  const uint16_t identifier = wire::raw16(message[0] == request ? to.source_port : to.destination_port);
  uint8_t* field = message + offset::icmp_identifier;
  uint8_t* checksum = message + wire::IcmpView::checksum_offset;
  const wire::Sum change = wire::change16(wire::load_raw16(field), identifier);
  wire::store_raw16(field, identifier);
  const uint16_t sum = wire::load_raw16(checksum);
  if (!partial) {
    wire::store_raw16(checksum, wire::updated_checksum(sum, is_v4 ? change : change + addresses));
  } else if (!is_v4) {
    wire::store_raw16(checksum, wire::updated_partial(sum, addresses));
  }
}

// Gives the packet the endpoints `to`. A later fragment has no transport header: only its addresses change.
template <class A>
void rewrite(const Transit<A>& t, const Endpoints<A>& to) {
  const Endpoints<A>& from = t.endpoints;
  const wire::Sum addresses = replace_addresses(t.l3(), from, to);
  if (t.is_later_fragment()) return;

  uint8_t* l4 = t.l4();
  const bool partial = t.frame.checksum == TransportChecksum::partial;
  if (t.packet.has_ports) {
    wire::store_be16(l4, to.source_port);
    wire::store_be16(l4 + 2, to.destination_port);
  }
  const auto ports = [&] {
    return change_of_ports(from.source_port, to.source_port, from.destination_port, to.destination_port);
  };
  switch (t.packet.protocol) {
    case wire::protocol::tcp: {
      uint8_t* field = l4 + wire::TcpView::checksum_offset;
      const uint16_t sum = wire::load_raw16(field);
      wire::store_raw16(
          field, partial ? wire::updated_partial(sum, addresses) : wire::updated_checksum(sum, addresses + ports()));
      break;
    }
    case wire::protocol::udp: {
      uint8_t* field = l4 + wire::UdpView::checksum_offset;
      const uint16_t sum = wire::load_raw16(field);
      if (sum == wire::no_udp_checksum && !partial) {
        // As in the kernel: a datagram without a checksum gets one, if it is complete.
        if (t.packet.fragment != wire::Fragment::none) break;
        wire::MutableUdpView(t.transport())
            .fill_checksum(
                wire::pseudo_header_sum(to.source, to.destination, wire::protocol::udp, t.packet.l4_length()));
        break;
      }
      wire::store_raw16(field, partial ? wire::updated_partial(sum, addresses)
                                       : wire::updated_udp_checksum(sum, addresses + ports()));
      break;
    }
    case wire::protocol::sctp:
      // The device computes a partial SCTP checksum after the header was changed.
      if (partial || (from.source_port == to.source_port && from.destination_port == to.destination_port)) break;
      wire::MutableSctpView(t.transport()).fill_checksum();
      break;
    default:  // echo through the NAT gateway
      replace_identifier(l4, to, addresses, partial);
      break;
  }
}

}  // namespace sluice::director
