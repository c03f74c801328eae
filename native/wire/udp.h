// SPDX-License-Identifier: Apache-2.0
// UDP (RFC 768).
#pragma once

#include "wire/checksum.h"
#include "wire/malformed.h"

namespace sluice::wire {

template <typename Byte>
class BasicUdp : public HeaderView<Byte> {
 public:
  static constexpr size_t header_length = 8;
  static constexpr size_t checksum_offset = 6;

  using HeaderView<Byte>::HeaderView;

  // The view is cut to the datagram's length. A length of zero (a jumbogram, RFC 2675) is wrong here: no jumbogram
  // arrives.
  static Parsed<BasicUdp> parse(std::span<Byte> bytes) {
    if (bytes.size() < header_length) return Malformed::truncated;
    const size_t length = load_be16(bytes.data() + 4);
    if (length < header_length || length > bytes.size()) return Malformed::length_lies;
    return BasicUdp(bytes.first(length));
  }

  uint16_t source_port() const { return this->be16(0); }
  uint16_t destination_port() const { return this->be16(2); }
  uint16_t length() const { return this->be16(4); }
  uint16_t checksum() const { return load_raw16(this->at(checksum_offset)); }  // raw
  std::span<Byte> payload() const { return this->bytes_.subspan(header_length); }

  // The setters do not update the checksum.
  void set_source_port(uint16_t port) requires Writable<Byte> { store_be16(this->at(0), port); }
  void set_destination_port(uint16_t port) requires Writable<Byte> { store_be16(this->at(2), port); }
  void set_length(uint16_t length) requires Writable<Byte> { store_be16(this->at(4), length); }
  void set_checksum(uint16_t raw) requires Writable<Byte> { store_raw16(this->at(checksum_offset), raw); }
  // Needs the pseudo-header's part of the sum.
  void fill_checksum(Sum pseudo_header) requires Writable<Byte> {
    set_checksum(0);
    set_checksum(udp_checksum_on_wire(finish_checksum(sum_bytes(this->bytes_, pseudo_header))));
  }
};
using UdpView = BasicUdp<const uint8_t>;
using MutableUdpView = BasicUdp<uint8_t>;

struct UdpFields {
  uint16_t source_port = 0, destination_port = 0;
  uint16_t length = UdpView::header_length;
};
// Writes UdpView::header_length bytes, the checksum zero.
void emit(const UdpFields& fields, uint8_t* to);

}  // namespace sluice::wire
