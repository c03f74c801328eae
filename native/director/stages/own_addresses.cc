// SPDX-License-Identifier: Apache-2.0
#include "director/stages/own_addresses.h"

#include <algorithm>
#include <array>

namespace sluice::director {

bool OwnAddresses::owns(const wire::Address& address) const {
  if (!services_.is_virtual_address(address) && !pools_.is_local_address(address)) return false;
  return !transmitter_.route_table().is_local(address);
}

template <class A>
bool OwnAddresses::is_martian(const A& source) const {
  const wire::Address address = source;
  const auto& bytes = address.bytes;
  if constexpr (A::family == wire::Family::ipv4) {
    const bool is_multicast = (bytes[0] & 0xf0) == 0xe0;
    if (address.is_unspecified() || bytes[0] == 127 || is_multicast || source.raw == UINT32_MAX) return true;
    const bool is_local = transmitter_.route_table().way_to(source).state == HopState::local;
    return is_local || services_.is_virtual_address(address) || pools_.is_local_address(address);
  } else {
    const bool is_loopback = source.raw[0] == 0 && wire::load_be64(bytes.data() + 8) == 1;
    // No packet can be sent to the unspecified address, and no router may forward a packet from it (RFC 4291 2.5.2).
    return bytes[0] == 0xff || is_loopback || address.is_unspecified();
  }
}

template <class A>
bool OwnAddresses::may_tell(const A& sender) const {
  const RouteTable& routes = transmitter_.route_table();
  const wire::Address address = sender;
  const auto& bytes = address.bytes;
  if constexpr (A::family == wire::Family::ipv4) {
    if (is_martian(sender) || routes.is_broadcast(sender)) return false;
  } else {
    constexpr std::array<uint8_t, 12> mapped_ipv4 = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (is_martian(sender) || std::equal(mapped_ipv4.begin(), mapped_ipv4.end(), bytes.begin())) return false;
  }
  return routes.way_to(sender).state != HopState::local && !services_.is_virtual_address(address) &&
         !pools_.is_local_address(address);
}
template bool OwnAddresses::may_tell(const wire::Ipv4Address&) const;
template bool OwnAddresses::may_tell(const wire::Ipv6Address&) const;
template bool OwnAddresses::is_martian(const wire::Ipv4Address&) const;
template bool OwnAddresses::is_martian(const wire::Ipv6Address&) const;

}  // namespace sluice::director
