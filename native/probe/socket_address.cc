// SPDX-License-Identifier: Apache-2.0
#include "probe/socket_address.h"

#include <net/if.h>

#include <charconv>
#include <string>

namespace sluice::probe {

namespace {

uint32_t zone_of(std::string_view text) {
  uint32_t index = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
  if (error == std::errc() && end == text.data() + text.size()) return index;
  return if_nametoindex(std::string(text).c_str());
}

}  // namespace

std::optional<SocketAddress> SocketAddress::parse(std::string_view text, uint16_t port) {
  const size_t percent = text.find('%');
  const auto address = wire::parse_address(text.substr(0, percent));
  const bool has_zone = percent != std::string_view::npos;
  if (!address || (has_zone && (address->family == wire::Family::ipv4 || percent + 1 == text.size()))) return {};
  SocketAddress socket_address = of(*address, port);
  if (has_zone) socket_address.ipv6_.sin6_scope_id = zone_of(text.substr(percent + 1));
  return socket_address;
}

SocketAddress SocketAddress::of(const wire::Address& address, uint16_t port) {
  SocketAddress socket_address;
  if (address.family == wire::Family::ipv4) {
    socket_address.ipv4_ = {};
    socket_address.ipv4_.sin_family = AF_INET;
    socket_address.ipv4_.sin_port = htons(port);
    socket_address.ipv4_.sin_addr.s_addr = address.v4().raw;
    return socket_address;
  }
  socket_address.ipv6_.sin6_family = AF_INET6;
  socket_address.ipv6_.sin6_port = htons(port);
  address.v6().store(socket_address.ipv6_.sin6_addr.s6_addr);
  return socket_address;
}

SocketAddress SocketAddress::local_of(int socket) {
  SocketAddress local;
  socklen_t size = sizeof local.ipv6_;
  if (getsockname(socket, reinterpret_cast<sockaddr*>(&local.ipv6_), &size) != 0) return {};
  return local;
}

}  // namespace sluice::probe
