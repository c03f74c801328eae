// SPDX-License-Identifier: Apache-2.0
#include "port/transport_place.h"

#include "wire/ethernet.h"
#include "wire/packet.h"

namespace sluice::port {

TransportPlace transport_of(wire::Bytes frame) {
  constexpr uint16_t l3 = wire::EthernetView::header_length, v4_length = 20, v6_length = 40;
  if (frame.size() >= l3 + v6_length) {
    const uint8_t* const ip = frame.data() + l3;
    const uint16_t type = wire::load_be16(frame.data() + l3 - 2);
    const bool is_plain_v4 = type == wire::ethertype::ipv4 && ip[0] == 0x45 && (wire::load_be16(ip + 6) & 0x3fff) == 0;
    if (is_plain_v4) {
      const uint32_t end = l3 + wire::load_be16(ip + 2);
      if (end >= l3 + v4_length && end <= frame.size()) return {l3, l3 + v4_length, end, ip[9]};
    }
    if (type == wire::ethertype::ipv6 && (ip[6] == wire::protocol::tcp || ip[6] == wire::protocol::udp)) {
      const uint32_t end = l3 + v6_length + wire::load_be16(ip + 4);
      if (end <= frame.size()) return {l3, l3 + v6_length, end, ip[6]};
    }
  }
  wire::Packet packet;
  if (wire::dissect(frame, packet) != wire::Malformed::ok || packet.ip_version == 0 ||
      packet.fragment != wire::Fragment::none)
    return {};
  return {packet.l3, packet.l4, packet.end(), packet.protocol};
}

}  // namespace sluice::port
