// SPDX-License-Identifier: Apache-2.0
// IPv6 and its extension headers (RFC 8200; authentication header: RFC 4302).
#pragma once

#include <string>

#include "wire/address.h"
#include "wire/checksum.h"
#include "wire/malformed.h"
#include "wire/protocol.h"

namespace sluice::wire {

template <typename Byte>
class BasicIpv6 : public HeaderView<Byte> {
 public:
  static constexpr size_t header_length = 40;

  using HeaderView<Byte>::HeaderView;

  // The view is cut to the payload length: what follows is padding of the frame. A length of zero before hop-by-hop
  // options announces a jumbogram (RFC 2675), which does not fit any frame here.
  static Parsed<BasicIpv6> parse(std::span<Byte> bytes) {
    const Malformed reason = check_header(bytes);
    if (reason != Malformed::ok) return reason;
    const size_t total = header_length + load_be16(bytes.data() + 4);
    if (total > bytes.size()) return Malformed::length_lies;
    return BasicIpv6(bytes.first(total));
  }

  // For a packet quoted in an ICMPv6 error, which holds only its beginning.
  static Parsed<BasicIpv6> parse_quoted(std::span<Byte> bytes) {
    const Malformed reason = check_header(bytes);
    if (reason != Malformed::ok) return reason;
    const size_t total = header_length + load_be16(bytes.data() + 4);
    return BasicIpv6(bytes.first(total < bytes.size() ? total : bytes.size()));
  }

  uint8_t traffic_class() const { return static_cast<uint8_t>(this->be16(0) >> 4); }
  uint32_t flow_label() const { return this->be32(0) & 0xfffff; }
  uint16_t payload_length() const { return this->be16(4); }
  uint8_t next_header() const { return this->u8(6); }
  uint8_t hop_limit() const { return this->u8(7); }
  Ipv6Address source() const { return Ipv6Address::load(this->at(8)); }
  Ipv6Address destination() const { return Ipv6Address::load(this->at(24)); }
  // Includes the extension headers.
  std::span<Byte> payload() const { return this->bytes_.subspan(header_length); }

  void set_traffic_class(uint8_t value) requires Writable<Byte> {
    store_be16(this->at(0), static_cast<uint16_t>((this->be16(0) & 0xf00f) | value << 4));
  }
  void set_payload_length(uint16_t length) requires Writable<Byte> { store_be16(this->at(4), length); }
  void set_next_header(uint8_t protocol) requires Writable<Byte> { *this->at(6) = protocol; }
  void set_hop_limit(uint8_t limit) requires Writable<Byte> { *this->at(7) = limit; }
  void set_source(const Ipv6Address& address) requires Writable<Byte> { address.store(this->at(8)); }
  void set_destination(const Ipv6Address& address) requires Writable<Byte> { address.store(this->at(24)); }

 private:
  static Malformed check_header(std::span<Byte> bytes) {
    if (bytes.size() < header_length) return Malformed::truncated;
    if (bytes[0] >> 4 != 6) return Malformed::bad_version;
    if (load_be16(bytes.data() + 4) == 0 && bytes[6] == protocol::hop_by_hop) return Malformed::jumbogram;
    return Malformed::ok;
  }
};
using Ipv6View = BasicIpv6<const uint8_t>;
using MutableIpv6View = BasicIpv6<uint8_t>;

// The fragment header (RFC 8200 4.5).
template <typename Byte>
class BasicIpv6Fragment : public HeaderView<Byte> {
 public:
  static constexpr size_t header_length = 8;

  using HeaderView<Byte>::HeaderView;
  static Parsed<BasicIpv6Fragment> parse(std::span<Byte> bytes) {
    if (bytes.size() < header_length) return Malformed::truncated;
    return BasicIpv6Fragment(bytes);
  }

  uint8_t next_header() const { return this->u8(0); }
  // In bytes.
  uint16_t offset() const { return this->be16(2) & 0xfff8; }
  bool has_more_fragments() const { return (this->be16(2) & 1) != 0; }
  uint32_t id() const { return this->be32(4); }
  std::span<Byte> payload() const { return this->bytes_.subspan(header_length); }

  void set_id(uint32_t id) requires Writable<Byte> { store_be32(this->at(4), id); }
};
using Ipv6FragmentView = BasicIpv6Fragment<const uint8_t>;
using MutableIpv6FragmentView = BasicIpv6Fragment<uint8_t>;

// RFC 8200 4.1 lists seven; destination options may come twice. A sender that follows the RFC stays within this limit.
inline constexpr size_t maximum_extension_headers = 8;

// Whether a next header names an extension header that the walk steps over. (An encrypted payload is opaque: the walk
// ends there.)
inline constexpr bool is_extension_header(uint8_t next_header) {
  return next_header == protocol::hop_by_hop || next_header == protocol::routing || next_header == protocol::fragment ||
         next_header == protocol::ah || next_header == protocol::destination_options;
}

// The length of a routing, options or authentication header, from its length field. `at` points to at least two bytes.
inline constexpr size_t extension_header_length(uint8_t kind, const uint8_t* at) {
  return kind == protocol::ah ? (at[1] + 2u) * 4 : (at[1] + 1u) * 8;
}

// Where the extension headers lead. Offsets count from the first byte of the IPv6 header.
struct Ipv6Chain {
  uint8_t protocol = protocol::no_next_header;
  uint16_t transport = 0;        // where `protocol` begins; in a later fragment, where its data begins
  uint16_t fragment_header = 0;  // 0: none
  uint16_t fragment_offset = 0;  // in bytes
  bool more_fragments = false;
  uint32_t fragment_id = 0;
};

// Steps over the extension headers. The walk ends at the fragment header of a later fragment, because only data
// follows; `protocol` is then the next header of the fragment header. If the result is not ok, `chain` holds what was
// found before.
Malformed walk_extension_headers(Ipv6View packet, Ipv6Chain& chain);

struct Ipv6Fields {
  uint8_t traffic_class = 0;
  uint32_t flow_label = 0;
  uint16_t payload_length = 0;
  uint8_t next_header = protocol::no_next_header;
  uint8_t hop_limit = 64;
  Ipv6Address source = {}, destination = {};
};
// Writes Ipv6View::header_length bytes.
void emit(const Ipv6Fields& fields, uint8_t* to);

// As tcpdump, all extension headers in their order: "HBH ", "frag (0|48) ". For a packet whose walk returned ok.
void print_extension_headers(std::string& out, Ipv6View packet);

// The pseudo-header's part of a TCP, UDP or ICMPv6 checksum (RFC 8200 8.1).
inline Sum pseudo_header_sum(const Ipv6Address& source, const Ipv6Address& destination, uint8_t protocol,
                             uint32_t length) {
  const Sum addresses = add_with_carry(add_with_carry(source.raw[0], source.raw[1]),
                                       add_with_carry(destination.raw[0], destination.raw[1]));
  return add_with_carry(addresses, Sum{__builtin_bswap32(length)} + raw16(protocol));
}

}  // namespace sluice::wire
