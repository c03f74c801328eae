// SPDX-License-Identifier: Apache-2.0
// Ethernet II frames, without the frame check sequence (the NIC removes it).
#pragma once

#include "wire/address.h"
#include "wire/malformed.h"
#include "wire/protocol.h"

namespace sluice::wire {

template <typename Byte>
class BasicEthernet : public HeaderView<Byte> {
 public:
  static constexpr size_t header_length = 14;
  static constexpr size_t type_offset = 12;
  // Frames are padded to this length on the wire (64 with the frame check sequence); the padding is not part of the
  // packet.
  static constexpr size_t minimum_frame_length = 60;

  using HeaderView<Byte>::HeaderView;
  static Parsed<BasicEthernet> parse(std::span<Byte> frame) {
    if (frame.size() < header_length) return Malformed::truncated;
    return BasicEthernet(frame);
  }

  MacAddress destination() const { return mac(0); }
  MacAddress source() const { return mac(6); }
  // A value below ethertype::first is the length of an IEEE 802.3 frame.
  uint16_t type() const { return this->be16(type_offset); }
  std::span<Byte> payload() const { return this->bytes_.subspan(header_length); }

  void set_destination(const MacAddress& mac) requires Writable<Byte> { std::memcpy(this->at(0), &mac.bytes, 6); }
  void set_source(const MacAddress& mac) requires Writable<Byte> { std::memcpy(this->at(6), &mac.bytes, 6); }
  void set_type(uint16_t type) requires Writable<Byte> { store_be16(this->at(type_offset), type); }

 private:
  MacAddress mac(size_t offset) const {
    MacAddress mac;
    std::memcpy(&mac.bytes, this->at(offset), 6);
    return mac;
  }
};
using EthernetView = BasicEthernet<const uint8_t>;
using MutableEthernetView = BasicEthernet<uint8_t>;

struct EthernetFields {
  MacAddress destination = {}, source = {};
  uint16_t type = ethertype::ipv4;
};
// Writes EthernetView::header_length bytes.
void emit(const EthernetFields& fields, uint8_t* to);

}  // namespace sluice::wire
