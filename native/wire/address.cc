// SPDX-License-Identifier: Apache-2.0
#include "wire/address.h"

#include <arpa/inet.h>

#include <cstdio>

namespace sluice::wire {

namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::optional<Address> parse_address(std::string_view text) {
  char terminated[INET6_ADDRSTRLEN];  // inet_pton wants a string that ends in a zero byte
  if (text.size() >= sizeof terminated || text.find('\0') != std::string_view::npos) return std::nullopt;
  std::memcpy(terminated, text.data(), text.size());
  terminated[text.size()] = '\0';
  Ipv4Address v4;
  if (inet_pton(AF_INET, terminated, &v4.raw) == 1) return v4;
  Ipv6Address v6;
  if (inet_pton(AF_INET6, terminated, v6.raw.data()) == 1) return v6;
  return std::nullopt;
}

std::optional<MacAddress> parse_mac(std::string_view text) {
  if (text.size() != MacAddress::size * 3 - 1) return std::nullopt;
  MacAddress mac;
  for (size_t i = 0; i < MacAddress::size; i++) {
    const int high = hex_digit(text[i * 3]), low = hex_digit(text[i * 3 + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    if (i > 0 && text[i * 3 - 1] != ':') return std::nullopt;
    mac.bytes[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return mac;
}

std::string to_string(const Address& address) {
  return address.family == Family::ipv4 ? to_string(address.v4()) : to_string(address.v6());
}

std::string to_string(Ipv4Address address) {
  char text[INET_ADDRSTRLEN];
  return inet_ntop(AF_INET, &address.raw, text, sizeof text);
}

std::string to_string(const Ipv6Address& address) {
  char text[INET6_ADDRSTRLEN];
  return inet_ntop(AF_INET6, address.raw.data(), text, sizeof text);
}

std::string to_string(const MacAddress& mac) {
  char text[MacAddress::size * 3];
  std::snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", mac.bytes[0], mac.bytes[1], mac.bytes[2],
                mac.bytes[3], mac.bytes[4], mac.bytes[5]);
  return text;
}

}  // namespace sluice::wire
