// SPDX-License-Identifier: Apache-2.0
// TCP (RFC 9293) and its options.
#pragma once

#include <string>

#include "wire/checksum.h"
#include "wire/malformed.h"
#include "wire/options.h"

namespace sluice::wire {

namespace tcp_flag {
inline constexpr uint8_t fin = 0x01;
inline constexpr uint8_t syn = 0x02;
inline constexpr uint8_t rst = 0x04;
inline constexpr uint8_t psh = 0x08;
inline constexpr uint8_t ack = 0x10;
inline constexpr uint8_t urg = 0x20;
inline constexpr uint8_t ece = 0x40;
inline constexpr uint8_t cwr = 0x80;
}  // namespace tcp_flag

namespace tcp_option {
inline constexpr uint8_t mss = 2;
inline constexpr uint8_t window_scale = 3;
inline constexpr uint8_t sack_permitted = 4;
inline constexpr uint8_t sack = 5;
inline constexpr uint8_t timestamp = 8;
inline constexpr uint8_t md5 = 19;
inline constexpr uint8_t toa = 254;  // the client's address in FULLNAT mode, an experimental kind (RFC 4727)
}  // namespace tcp_option

template <typename Byte>
class BasicTcp : public HeaderView<Byte> {
 public:
  static constexpr size_t minimum_header_length = 20;
  static constexpr size_t maximum_header_length = 60;
  static constexpr size_t checksum_offset = 16;

  using HeaderView<Byte>::HeaderView;
  static Parsed<BasicTcp> parse(std::span<Byte> bytes) {
    if (bytes.size() < minimum_header_length) return Malformed::truncated;
    const size_t length = header_length_at(bytes);
    if (length < minimum_header_length) return Malformed::header_too_short;
    if (length > bytes.size()) return Malformed::header_beyond_packet;
    return BasicTcp(bytes);
  }

  uint16_t source_port() const { return this->be16(0); }
  uint16_t destination_port() const { return this->be16(2); }
  uint32_t sequence() const { return this->be32(4); }
  uint32_t acknowledgement() const { return this->be32(8); }
  size_t header_length() const { return header_length_at(this->bytes_); }
  uint8_t flags() const { return this->u8(13); }
  bool has(uint8_t flag) const { return (flags() & flag) != 0; }
  uint16_t window() const { return this->be16(14); }
  uint16_t checksum() const { return load_raw16(this->at(checksum_offset)); }  // raw
  uint16_t urgent_pointer() const { return this->be16(18); }
  std::span<Byte> options() const {
    return this->bytes_.subspan(minimum_header_length, header_length() - minimum_header_length);
  }
  std::span<Byte> payload() const { return this->bytes_.subspan(header_length()); }

  // The setters do not update the checksum.
  void set_source_port(uint16_t port) requires Writable<Byte> { store_be16(this->at(0), port); }
  void set_destination_port(uint16_t port) requires Writable<Byte> { store_be16(this->at(2), port); }
  void set_sequence(uint32_t value) requires Writable<Byte> { store_be32(this->at(4), value); }
  void set_acknowledgement(uint32_t value) requires Writable<Byte> { store_be32(this->at(8), value); }
  void set_header_length(size_t length) requires Writable<Byte> {
    *this->at(12) = static_cast<uint8_t>((this->u8(12) & 0x0f) | length / 4 << 4);
  }
  void set_flags(uint8_t flags) requires Writable<Byte> { *this->at(13) = flags; }
  void set_window(uint16_t window) requires Writable<Byte> { store_be16(this->at(14), window); }
  void set_checksum(uint16_t raw) requires Writable<Byte> { store_raw16(this->at(checksum_offset), raw); }
  // Needs the pseudo-header's part of the sum.
  void fill_checksum(Sum pseudo_header) requires Writable<Byte> {
    set_checksum(0);
    set_checksum(finish_checksum(sum_bytes(this->bytes_, pseudo_header)));
  }

 private:
  static size_t header_length_at(std::span<Byte> bytes) { return (bytes[12] >> 4) * 4u; }
};
using TcpView = BasicTcp<const uint8_t>;
using MutableTcpView = BasicTcp<uint8_t>;

struct TcpFields {
  uint16_t source_port = 0, destination_port = 0;
  uint32_t sequence = 0, acknowledgement = 0;
  uint8_t flags = 0;
  uint16_t window = 0;
  uint16_t urgent_pointer = 0;
  Bytes options = {};  // a multiple of four bytes, 40 at most
};
// Writes the header with a checksum of zero and returns its length.
size_t emit(const TcpFields& fields, uint8_t* to);

// As tcpdump: "Flags [S.], seq 1, ack 2, win 3, options [mss 1460], length 0". `length` is the payload's length by the
// IP header, which may exceed the bytes present.
void print(std::string& out, TcpView tcp, size_t length);

}  // namespace sluice::wire
