// SPDX-License-Identifier: Apache-2.0
// The errors that the director reports to senders, for each address family.
#pragma once

#include "director/outgoing/outgoing.h"
#include "wire/icmp.h"
#include "wire/icmpv6.h"

namespace sluice::director {

template <class A>
inline constexpr bool is_v4 = A::family == wire::Family::ipv4;

template <class A>
constexpr IcmpError too_big(uint32_t mtu) {
  if constexpr (is_v4<A>) {
    return {wire::icmp_type::unreachable, wire::icmp_code::fragmentation_needed, mtu};
  } else {
    return {wire::icmpv6_type::packet_too_big, 0, mtu};
  }
}

template <class A>
constexpr IcmpError time_exceeded() {
  return {is_v4<A> ? wire::icmp_type::time_exceeded : wire::icmpv6_type::time_exceeded, 0, 0};
}

template <class A>
constexpr IcmpError host_unreachable() {
  if constexpr (is_v4<A>) {
    return {wire::icmp_type::unreachable, wire::icmp_code::host, 0};
  } else {
    return {wire::icmpv6_type::unreachable, wire::icmpv6_code::address, 0};
  }
}

template <class A>
constexpr IcmpError network_unreachable() {
  if constexpr (is_v4<A>) {
    return {wire::icmp_type::unreachable, wire::icmp_code::network, 0};
  } else {
    return {wire::icmpv6_type::unreachable, wire::icmpv6_code::no_route, 0};
  }
}

template <class A>
constexpr IcmpError port_unreachable() {
  if constexpr (is_v4<A>) {
    return {wire::icmp_type::unreachable, wire::icmp_code::port, 0};
  } else {
    return {wire::icmpv6_type::unreachable, wire::icmpv6_code::port, 0};
  }
}

}  // namespace sluice::director
