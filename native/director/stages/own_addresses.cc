// SPDX-License-Identifier: Apache-2.0
#include "director/stages/own_addresses.h"

#include <algorithm>
#include <array>

namespace sluice::director {

bool OwnAddresses::owns(const wire::Address& address) const {
  return services_.is_virtual_address(address) ||
         (pools_.is_local_address(address) && !transmitter_.route_table().is_local(address));
}

template <class A>
bool OwnAddresses::is_martian(const A& source) const {
  const wire::Address address = source;
  const auto& bytes = address.bytes;
  if constexpr (A::family == wire::Family::ipv4) {
    const bool is_multicast = (bytes[0] & 0xf0) == 0xe0;
    if (bytes[0] == 0 || bytes[0] == 127 || is_multicast || transmitter_.route_table().is_broadcast(source))
      return true;
  } else {
    constexpr std::array<uint8_t, 12> mapped_ipv4 = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    const bool is_loopback = source.raw[0] == 0 && wire::load_be64(bytes.data() + 8) == 1;
    if (bytes[0] == 0xff || is_loopback || address.is_unspecified()) return true;
    if (std::equal(mapped_ipv4.begin(), mapped_ipv4.end(), bytes.begin())) return true;
  }
  const bool is_local = transmitter_.route_table().way_to(source).state == HopState::local;
  return is_local || services_.is_virtual_address(address) || pools_.is_local_address(address);
}
template bool OwnAddresses::is_martian(const wire::Ipv4Address&) const;
template bool OwnAddresses::is_martian(const wire::Ipv6Address&) const;

}  // namespace sluice::director
