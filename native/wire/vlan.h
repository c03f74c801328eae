// SPDX-License-Identifier: Apache-2.0
// VLAN tags (IEEE 802.1Q; two stacked tags: 802.1ad): two bytes of tag control information (TCI) and the type of what
// follows. The type that announces the tag (TPID) stands before the tag, in the Ethernet header or in the outer tag.
#pragma once

#include <string>

#include "wire/malformed.h"
#include "wire/protocol.h"

namespace sluice::wire {

inline constexpr bool is_vlan_type(uint16_t type) {
  return type == ethertype::vlan || type == ethertype::provider_vlan || type == ethertype::old_provider_vlan;
}

template <typename Byte>
class BasicVlan : public HeaderView<Byte> {
 public:
  static constexpr size_t header_length = 4;
  static constexpr uint16_t id_mask = 0x0fff;
  static constexpr uint16_t drop_eligible_bit = 0x1000;

  using HeaderView<Byte>::HeaderView;
  static Parsed<BasicVlan> parse(std::span<Byte> bytes) {
    if (bytes.size() < header_length) return Malformed::truncated;
    return BasicVlan(bytes);
  }

  uint16_t tci() const { return this->be16(0); }
  uint16_t id() const { return tci() & id_mask; }
  uint8_t priority() const { return static_cast<uint8_t>(tci() >> 13); }
  bool drop_eligible() const { return (tci() & drop_eligible_bit) != 0; }
  uint16_t type() const { return this->be16(2); }
  std::span<Byte> payload() const { return this->bytes_.subspan(header_length); }

  void set_tci(uint16_t tci) requires Writable<Byte> { store_be16(this->at(0), tci); }
};
using VlanView = BasicVlan<const uint8_t>;
using MutableVlanView = BasicVlan<uint8_t>;

struct VlanFields {
  uint16_t tci = 0;
  uint16_t type = ethertype::ipv4;
};
// Writes VlanView::header_length bytes.
void emit(const VlanFields& fields, uint8_t* to);

// As tcpdump -e: "vlan 5, p 0, ".
void print_vlan(std::string& out, uint16_t tci);

}  // namespace sluice::wire
