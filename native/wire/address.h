// SPDX-License-Identifier: Apache-2.0
// Addresses as bytes in network order. They are compared and hashed without conversion.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::wire {

enum class Family : uint8_t { ipv4 = 4, ipv6 = 6 };

struct MacAddress {
  std::array<uint8_t, 6> bytes{};
  bool operator==(const MacAddress&) const = default;
  bool is_multicast() const { return (bytes[0] & 1) != 0; }
  static constexpr size_t size = 6;
};

struct Ipv4Address {
  uint32_t raw = 0;  // network byte order
  static constexpr Family family = Family::ipv4;
  bool operator==(const Ipv4Address&) const = default;
  static Ipv4Address load(const uint8_t* at) {
    Ipv4Address a;
    std::memcpy(&a.raw, at, 4);
    return a;
  }
  void store(uint8_t* at) const { std::memcpy(at, &raw, 4); }
};

struct Ipv6Address {
  std::array<uint64_t, 2> raw{};  // network byte order
  static constexpr Family family = Family::ipv6;
  bool operator==(const Ipv6Address&) const = default;
  static Ipv6Address load(const uint8_t* at) {
    Ipv6Address a;
    std::memcpy(a.raw.data(), at, 16);
    return a;
  }
  void store(uint8_t* at) const { std::memcpy(at, raw.data(), 16); }
};

// An address of either family, for the control path and for work that is not done per packet.
struct Address {
  Family family = Family::ipv4;
  std::array<uint8_t, 16> bytes{};  // IPv4 uses the first four; the rest stays zero so that == is exact
  Address() = default;
  Address(Ipv4Address a) { a.store(bytes.data()); }
  Address(Ipv6Address a) : family(Family::ipv6) { a.store(bytes.data()); }
  bool operator==(const Address&) const = default;
  Ipv4Address v4() const { return Ipv4Address::load(bytes.data()); }
  Ipv6Address v6() const { return Ipv6Address::load(bytes.data()); }
  bool is_unspecified() const { return bytes == std::array<uint8_t, 16>{}; }
};

// Text forms: dotted quad, RFC 5952, six hex pairs. Parsing takes the whole string or fails.
std::optional<Address> parse_address(std::string_view text);
std::optional<MacAddress> parse_mac(std::string_view text);
std::string to_string(const Address& address);
std::string to_string(Ipv4Address address);
std::string to_string(const Ipv6Address& address);
std::string to_string(const MacAddress& address);

}  // namespace sluice::wire
