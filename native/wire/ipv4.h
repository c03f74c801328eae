// SPDX-License-Identifier: Apache-2.0
// IPv4 (RFC 791).
#pragma once

#include "wire/address.h"
#include "wire/checksum.h"
#include "wire/malformed.h"
#include "wire/protocol.h"

namespace sluice::wire {

template <typename Byte>
class BasicIpv4 : public HeaderView<Byte> {
 public:
  static constexpr size_t minimum_header_length = 20;
  static constexpr size_t maximum_header_length = 60;
  static constexpr uint16_t reserved_flag = 0x8000;
  static constexpr uint16_t dont_fragment = 0x4000;
  static constexpr uint16_t more_fragments = 0x2000;
  static constexpr uint16_t offset_mask = 0x1fff;  // in units of 8 bytes
  static constexpr size_t maximum_length = 65535;

  using HeaderView<Byte>::HeaderView;

  // Makes the kernel's checks at input, except the header checksum and the options. The view is cut to the total
  // length: what follows is padding of the frame.
  static Parsed<BasicIpv4> parse(std::span<Byte> bytes) {
    const Malformed reason = check_header(bytes);
    if (reason != Malformed::ok) return reason;
    const size_t total = load_be16(bytes.data() + 2);
    if (total < header_length_at(bytes) || total > bytes.size()) return Malformed::length_lies;
    return BasicIpv4(bytes.first(total));
  }

  // For a packet quoted in an ICMP error: the total length is that of the packet as it was sent, but only its beginning
  // is quoted.
  static Parsed<BasicIpv4> parse_quoted(std::span<Byte> bytes) {
    const Malformed reason = check_header(bytes);
    if (reason != Malformed::ok) return reason;
    const size_t total = load_be16(bytes.data() + 2);
    if (total < header_length_at(bytes)) return Malformed::length_lies;
    return BasicIpv4(bytes.first(total < bytes.size() ? total : bytes.size()));
  }

  size_t header_length() const { return header_length_at(this->bytes_); }
  uint8_t tos() const { return this->u8(1); }
  uint16_t total_length() const { return this->be16(2); }
  uint16_t id() const { return this->be16(4); }
  uint16_t flags_and_offset() const { return this->be16(6); }
  bool is_unfragmentable() const { return (flags_and_offset() & dont_fragment) != 0; }
  bool has_more_fragments() const { return (flags_and_offset() & more_fragments) != 0; }
  // In bytes.
  uint16_t fragment_offset() const { return static_cast<uint16_t>((flags_and_offset() & offset_mask) * 8); }
  bool is_fragment() const { return (flags_and_offset() & (more_fragments | offset_mask)) != 0; }
  uint8_t ttl() const { return this->u8(8); }
  uint8_t protocol() const { return this->u8(9); }
  uint16_t checksum() const { return load_raw16(this->at(10)); }  // raw
  Ipv4Address source() const { return Ipv4Address::load(this->at(12)); }
  Ipv4Address destination() const { return Ipv4Address::load(this->at(16)); }
  std::span<Byte> options() const {
    return this->bytes_.subspan(minimum_header_length, header_length() - minimum_header_length);
  }
  std::span<Byte> payload() const { return this->bytes_.subspan(header_length()); }
  bool is_checksum_ok() const { return fold(sum_bytes(Bytes(this->at(0), header_length()))) == 0xffff; }

  // The setters do not update the checksum.
  void set_tos(uint8_t tos) requires Writable<Byte> { *this->at(1) = tos; }
  void set_total_length(uint16_t length) requires Writable<Byte> { store_be16(this->at(2), length); }
  void set_id(uint16_t id) requires Writable<Byte> { store_be16(this->at(4), id); }
  void set_flags_and_offset(uint16_t value) requires Writable<Byte> { store_be16(this->at(6), value); }
  void set_ttl(uint8_t ttl) requires Writable<Byte> { *this->at(8) = ttl; }
  void set_protocol(uint8_t protocol) requires Writable<Byte> { *this->at(9) = protocol; }
  void set_checksum(uint16_t raw) requires Writable<Byte> { store_raw16(this->at(10), raw); }
  void set_source(Ipv4Address address) requires Writable<Byte> { address.store(this->at(12)); }
  void set_destination(Ipv4Address address) requires Writable<Byte> { address.store(this->at(16)); }

  void fill_checksum() requires Writable<Byte> {
    set_checksum(0);
    set_checksum(internet_checksum(this->bytes_.first(header_length())));
  }
  // Takes one hop off and updates the checksum. The caller has checked that the TTL is above 1.
  void decrement_ttl() requires Writable<Byte> {
    const uint16_t before = load_raw16(this->at(8));  // TTL and protocol are one word of the sum
    set_ttl(static_cast<uint8_t>(ttl() - 1));
    set_checksum(updated_checksum(checksum(), change16(before, load_raw16(this->at(8)))));
  }

 private:
  static size_t header_length_at(std::span<Byte> bytes) { return (bytes[0] & 0x0fu) * 4; }
  static Malformed check_header(std::span<Byte> bytes) {
    if (bytes.size() < minimum_header_length) return Malformed::truncated;
    if (bytes[0] >> 4 != 4) return Malformed::bad_version;
    if (header_length_at(bytes) < minimum_header_length) return Malformed::header_too_short;
    if (header_length_at(bytes) > bytes.size()) return Malformed::header_beyond_packet;
    return Malformed::ok;
  }
};
using Ipv4View = BasicIpv4<const uint8_t>;
using MutableIpv4View = BasicIpv4<uint8_t>;

// True if every option's length holds the option's fixed part and stays within the header.
bool ipv4_options_ok(Bytes options);

struct Ipv4Fields {
  uint8_t tos = 0;
  uint16_t total_length = 0;
  uint16_t id = 0;
  uint16_t flags_and_offset = 0;
  uint8_t ttl = 64;
  uint8_t protocol = 0;
  Ipv4Address source = {}, destination = {};
};
// Writes a header without options, 20 bytes, with its checksum.
void emit(const Ipv4Fields& fields, uint8_t* to);

// The pseudo-header's part of a TCP or UDP checksum (RFC 793). `length` counts the L4 header and what it carries.
inline Sum pseudo_header_sum(Ipv4Address source, Ipv4Address destination, uint8_t protocol, uint32_t length) {
  return Sum{source.raw} + destination.raw + raw16(protocol) + raw16(static_cast<uint16_t>(length));
}

}  // namespace sluice::wire
