// SPDX-License-Identifier: Apache-2.0
// An address, a port and an IPv6 zone in the form that the kernel takes.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string_view>

#include "wire/address.h"

namespace sluice::probe {

class SocketAddress {
 public:
  SocketAddress() { ipv6_.sin6_family = AF_UNSPEC; }
  // 192.0.2.1, 2001:db8::1, fe80::1%eth0, fe80::1%2. Empty if the text is not an address. A device that does not exist
  // gives an unknown zone (0), which the kernel refuses for a link-local address.
  static std::optional<SocketAddress> parse(std::string_view text, uint16_t port);

  static SocketAddress of(const wire::Address& address, uint16_t port);

  bool is_unspecified() const { return family() == AF_UNSPEC; }
  int family() const { return ipv4_.sin_family; }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&ipv4_); }
  uint16_t port() const { return ntohs(ipv4_.sin_port); }  // at the same place for IPv6
  wire::Address address() const {
    if (family() == AF_INET) return wire::Ipv4Address{ipv4_.sin_addr.s_addr};
    return wire::Ipv6Address::load(ipv6_.sin6_addr.s6_addr);
  }
  // The local end of a socket. Unspecified if it has none.
  static SocketAddress local_of(int socket);
  socklen_t size() const { return family() == AF_INET ? sizeof ipv4_ : sizeof ipv6_; }

 private:
  union {
    sockaddr_in ipv4_;
    sockaddr_in6 ipv6_ = {};
  };
};

}  // namespace sluice::probe
