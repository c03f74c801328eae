// SPDX-License-Identifier: Apache-2.0
// ARP (RFC 826) for IPv4 over Ethernet, the only pair in use.
#pragma once

#include <string>

#include "wire/address.h"
#include "wire/malformed.h"
#include "wire/protocol.h"

namespace sluice::wire {

namespace arp_operation {
inline constexpr uint16_t request = 1;
inline constexpr uint16_t reply = 2;
}  // namespace arp_operation

template <typename Byte>
class BasicArp : public HeaderView<Byte> {
 public:
  static constexpr size_t length = 28;
  static constexpr uint16_t ethernet_hardware = 1;

  using HeaderView<Byte>::HeaderView;
  static Parsed<BasicArp> parse(std::span<Byte> bytes) {
    if (bytes.size() < length) return Malformed::truncated;
    const uint8_t* at = bytes.data();
    if (load_be16(at) != ethernet_hardware || load_be16(at + 2) != ethertype::ipv4) return Malformed::bad_format;
    if (at[4] != MacAddress::size || at[5] != sizeof(Ipv4Address::raw)) return Malformed::bad_format;
    return BasicArp(bytes.first(length));
  }

  uint16_t operation() const { return this->be16(6); }
  MacAddress sender_mac() const { return mac(8); }
  Ipv4Address sender() const { return Ipv4Address::load(this->at(14)); }
  MacAddress target_mac() const { return mac(18); }
  Ipv4Address target() const { return Ipv4Address::load(this->at(24)); }

 private:
  MacAddress mac(size_t offset) const {
    MacAddress mac;
    std::memcpy(&mac.bytes, this->at(offset), MacAddress::size);
    return mac;
  }
};
using ArpView = BasicArp<const uint8_t>;

struct ArpFields {
  uint16_t operation = arp_operation::request;
  MacAddress sender_mac = {};
  Ipv4Address sender = {};
  MacAddress target_mac = {};
  Ipv4Address target = {};
};
// Writes ArpView::length bytes.
void emit(const ArpFields& fields, uint8_t* to);

// As tcpdump: "ARP, Request who-has 10.0.0.2 tell 10.0.0.1, length 46". `length` includes the padding of the frame.
void print(std::string& out, ArpView arp, size_t length);

}  // namespace sluice::wire
