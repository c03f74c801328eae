// SPDX-License-Identifier: Apache-2.0
// ICMP for IPv4 (RFC 792; next-hop MTU: RFC 1191; length of the quoted packet: RFC 4884).
#pragma once

#include <string>

#include "wire/checksum.h"
#include "wire/malformed.h"

namespace sluice::wire {

namespace icmp_type {
inline constexpr uint8_t echo_reply = 0;
inline constexpr uint8_t unreachable = 3;
inline constexpr uint8_t source_quench = 4;
inline constexpr uint8_t redirect = 5;
inline constexpr uint8_t echo_request = 8;
inline constexpr uint8_t time_exceeded = 11;
inline constexpr uint8_t parameter_problem = 12;
inline constexpr uint8_t timestamp_request = 13;
inline constexpr uint8_t timestamp_reply = 14;
}  // namespace icmp_type

namespace icmp_code {  // of icmp_type::unreachable
inline constexpr uint8_t network = 0;
inline constexpr uint8_t host = 1;
inline constexpr uint8_t protocol = 2;
inline constexpr uint8_t port = 3;
inline constexpr uint8_t fragmentation_needed = 4;
inline constexpr uint8_t source_route_failed = 5;
inline constexpr uint8_t network_prohibited = 9;
inline constexpr uint8_t host_prohibited = 10;
inline constexpr uint8_t prohibited = 13;
}  // namespace icmp_code

template <typename Byte>
class BasicIcmp : public HeaderView<Byte> {
 public:
  static constexpr size_t header_length = 8;
  static constexpr size_t checksum_offset = 2;

  using HeaderView<Byte>::HeaderView;
  static Parsed<BasicIcmp> parse(std::span<Byte> bytes) {
    if (bytes.size() < header_length) return Malformed::truncated;
    return BasicIcmp(bytes);
  }

  uint8_t type() const { return this->u8(0); }
  uint8_t code() const { return this->u8(1); }
  uint16_t checksum() const { return load_raw16(this->at(checksum_offset)); }  // raw
  bool is_checksum_ok() const { return fold(sum_bytes(this->bytes_)) == 0xffff; }

  // For echo and timestamp messages.
  uint16_t id() const { return this->be16(4); }
  uint16_t sequence() const { return this->be16(6); }
  bool is_echo() const { return type() == icmp_type::echo_request || type() == icmp_type::echo_reply; }

  // Errors quote the packet that caused them.
  bool is_error() const {
    return type() == icmp_type::unreachable || type() == icmp_type::source_quench || type() == icmp_type::redirect ||
           type() == icmp_type::time_exceeded || type() == icmp_type::parameter_problem;
  }
  uint16_t next_hop_mtu() const { return this->be16(6); }  // of fragmentation-needed
  uint8_t pointer() const { return this->u8(4); }          // of parameter problems
  // The quoted packet, or the data of an echo.
  std::span<Byte> payload() const { return this->bytes_.subspan(header_length); }

  // The setters do not update the checksum.
  void set_type(uint8_t type) requires Writable<Byte> { *this->at(0) = type; }
  void set_code(uint8_t code) requires Writable<Byte> { *this->at(1) = code; }
  void set_id(uint16_t id) requires Writable<Byte> { store_be16(this->at(4), id); }
  void set_next_hop_mtu(uint16_t mtu) requires Writable<Byte> { store_be16(this->at(6), mtu); }
  void set_checksum(uint16_t raw) requires Writable<Byte> { store_raw16(this->at(checksum_offset), raw); }
  void fill_checksum() requires Writable<Byte> {
    set_checksum(0);
    set_checksum(internet_checksum(this->bytes_));
  }
};
using IcmpView = BasicIcmp<const uint8_t>;
using MutableIcmpView = BasicIcmp<uint8_t>;

struct IcmpFields {
  uint8_t type = 0, code = 0;
  uint32_t rest = 0;  // id and sequence, MTU, pointer or gateway: the second four bytes
};
// Writes IcmpView::header_length bytes, the checksum zero.
void emit(const IcmpFields& fields, uint8_t* to);

// As tcpdump: "ICMP echo request, id 1, seq 1, length 64". `length` counts the header.
void print(std::string& out, IcmpView icmp, size_t length);

}  // namespace sluice::wire
