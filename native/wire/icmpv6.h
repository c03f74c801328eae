// SPDX-License-Identifier: Apache-2.0
// ICMPv6 (RFC 4443) with neighbour discovery's solicitations and advertisements (RFC 4861).
#pragma once

#include <optional>
#include <string>

#include "wire/address.h"
#include "wire/checksum.h"
#include "wire/malformed.h"

namespace sluice::wire {

namespace icmpv6_type {
inline constexpr uint8_t unreachable = 1;
inline constexpr uint8_t packet_too_big = 2;
inline constexpr uint8_t time_exceeded = 3;
inline constexpr uint8_t parameter_problem = 4;
inline constexpr uint8_t first_informational =
    128;  // smaller types are errors, which quote the packet that caused them
inline constexpr uint8_t echo_request = 128;
inline constexpr uint8_t echo_reply = 129;
inline constexpr uint8_t router_solicitation = 133;
inline constexpr uint8_t router_advertisement = 134;
inline constexpr uint8_t neighbour_solicitation = 135;
inline constexpr uint8_t neighbour_advertisement = 136;
inline constexpr uint8_t redirect = 137;
}  // namespace icmpv6_type

namespace icmpv6_code {  // of icmpv6_type::unreachable
inline constexpr uint8_t no_route = 0;
inline constexpr uint8_t prohibited = 1;
inline constexpr uint8_t beyond_scope = 2;
inline constexpr uint8_t address = 3;
inline constexpr uint8_t port = 4;
}  // namespace icmpv6_code

template <typename Byte>
class BasicIcmpv6 : public HeaderView<Byte> {
 public:
  static constexpr size_t header_length = 8;
  static constexpr size_t checksum_offset = 2;

  using HeaderView<Byte>::HeaderView;
  static Parsed<BasicIcmpv6> parse(std::span<Byte> bytes) {
    if (bytes.size() < header_length) return Malformed::truncated;
    return BasicIcmpv6(bytes);
  }

  uint8_t type() const { return this->u8(0); }
  uint8_t code() const { return this->u8(1); }
  uint16_t checksum() const { return load_raw16(this->at(checksum_offset)); }  // raw
  uint16_t id() const { return this->be16(4); }
  uint16_t sequence() const { return this->be16(6); }
  bool is_echo() const { return type() == icmpv6_type::echo_request || type() == icmpv6_type::echo_reply; }
  bool is_error() const { return type() < icmpv6_type::first_informational; }
  uint32_t mtu() const { return this->be32(4); }      // of packet-too-big
  uint32_t pointer() const { return this->be32(4); }  // of parameter problems
  // The quoted packet, or the data of an echo.
  std::span<Byte> payload() const { return this->bytes_.subspan(header_length); }

  // The setters do not update the checksum.
  void set_type(uint8_t type) requires Writable<Byte> { *this->at(0) = type; }
  void set_code(uint8_t code) requires Writable<Byte> { *this->at(1) = code; }
  void set_id(uint16_t id) requires Writable<Byte> { store_be16(this->at(4), id); }
  void set_mtu(uint32_t mtu) requires Writable<Byte> { store_be32(this->at(4), mtu); }
  void set_checksum(uint16_t raw) requires Writable<Byte> { store_raw16(this->at(checksum_offset), raw); }
  // Needs the pseudo-header's part of the sum.
  void fill_checksum(Sum pseudo_header) requires Writable<Byte> {
    set_checksum(0);
    set_checksum(finish_checksum(sum_bytes(this->bytes_, pseudo_header)));
  }
};
using Icmpv6View = BasicIcmpv6<const uint8_t>;
using MutableIcmpv6View = BasicIcmpv6<uint8_t>;

struct Icmpv6Fields {
  uint8_t type = 0, code = 0;
  uint32_t rest = 0;  // id and sequence, MTU or pointer: the second four bytes
};
// Writes Icmpv6View::header_length bytes, the checksum zero.
void emit(const Icmpv6Fields& fields, uint8_t* to);

// Options of neighbour discovery: a type, and a length in units of eight bytes that counts type and length, too.
namespace neighbour_option {
inline constexpr uint8_t source_link_address = 1;
inline constexpr uint8_t target_link_address = 2;
inline constexpr uint8_t nonce = 14;  // RFC 3971
}  // namespace neighbour_option

// A neighbour solicitation or advertisement. Its options are walked once; a length of zero makes the message malformed.
class NeighbourView : public HeaderView<const uint8_t> {
 public:
  static constexpr size_t header_length = 24;
  static constexpr uint8_t router_flag = 0x80;
  static constexpr uint8_t solicited_flag = 0x40;
  static constexpr uint8_t override_flag = 0x20;
  static constexpr size_t option_unit = 8;

  using HeaderView::HeaderView;
  // `bytes` is the whole ICMPv6 message, of one of the two types.
  static Parsed<NeighbourView> parse(Bytes bytes);

  bool is_advertisement() const { return u8(0) == icmpv6_type::neighbour_advertisement; }
  uint8_t flags() const { return u8(4); }  // of advertisements
  Ipv6Address target() const { return Ipv6Address::load(at(8)); }
  Bytes options() const { return bytes_.subspan(header_length); }
  // The link-layer address in the option for the source (1) or the target (2).
  std::optional<MacAddress> link_address(uint8_t option) const;
};

// Writes a solicitation (flags 0) or an advertisement: 32 bytes with the matching link-layer address option and a
// checksum of zero.
struct NeighbourFields {
  static constexpr size_t length = NeighbourView::header_length + NeighbourView::option_unit;
  uint8_t type = icmpv6_type::neighbour_advertisement;
  uint8_t flags = 0;
  Ipv6Address target = {};
  MacAddress link_address = {};
};
void emit(const NeighbourFields& fields, uint8_t* to);

// As tcpdump: "ICMP6, echo request, id 1, seq 1, length 64". `length` counts the header.
void print(std::string& out, Icmpv6View icmp, size_t length);

}  // namespace sluice::wire
