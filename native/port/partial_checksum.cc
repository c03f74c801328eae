// SPDX-License-Identifier: Apache-2.0
#include "port/partial_checksum.h"

#include "port/transport_place.h"
#include "wire/checksum.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/protocol.h"
#include "wire/sctp.h"
#include "wire/tcp.h"
#include "wire/udp.h"

namespace sluice::port {

namespace {

uint16_t pseudo_header_of(wire::Bytes frame, const TransportPlace& place) {
  const uint32_t length = place.end - place.offset;
  const uint8_t* const ip = frame.data() + place.network;
  if (ip[0] >> 4 == 4) {
    constexpr size_t source = 12, destination = 16;
    return wire::fold(wire::pseudo_header_sum(wire::Ipv4Address::load(ip + source),
                                              wire::Ipv4Address::load(ip + destination), place.protocol, length));
  }
  constexpr size_t source = 8, destination = 24;
  return wire::fold(wire::pseudo_header_sum(wire::Ipv6Address::load(ip + source),
                                            wire::Ipv6Address::load(ip + destination), place.protocol, length));
}

}  // namespace

void complete_partial_checksum(wire::MutableBytes frame) {
  const TransportPlace place = transport_of(frame);
  if (place.offset == 0 || place.offset > place.end || place.end > frame.size()) return;
  const wire::MutableBytes covered = frame.subspan(place.offset, place.end - place.offset);
  switch (place.protocol) {
    case wire::protocol::tcp:
    case wire::protocol::udp: {
      const bool is_udp = place.protocol == wire::protocol::udp;
      if (covered.size() < (is_udp ? wire::UdpView::header_length : wire::TcpView::minimum_header_length)) return;
      uint8_t* const field =
          covered.data() + (is_udp ? wire::UdpView::checksum_offset : wire::TcpView::checksum_offset);
      if (wire::load_raw16(field) != pseudo_header_of(frame, place)) [[likely]]
        return;
      const uint16_t sum = wire::internet_checksum(covered);
      wire::store_raw16(field, is_udp ? wire::udp_checksum_on_wire(sum) : sum);
      return;
    }
    case wire::protocol::sctp:
      if (covered.size() < wire::SctpView::header_length) return;
      if (wire::load_be32(covered.data() + wire::SctpView::checksum_offset) == 0)
        wire::MutableSctpView(covered).fill_checksum();
      return;
    default:
      return;
  }
}

}  // namespace sluice::port
