// SPDX-License-Identifier: Apache-2.0
// SCTP (RFC 9260): the common header and the chunks behind it.
#pragma once

#include <string>

#include "wire/checksum.h"
#include "wire/malformed.h"

namespace sluice::wire {

namespace sctp_chunk {
inline constexpr uint8_t data = 0;
inline constexpr uint8_t init = 1;
inline constexpr uint8_t init_ack = 2;
inline constexpr uint8_t sack = 3;
inline constexpr uint8_t heartbeat = 4;
inline constexpr uint8_t heartbeat_ack = 5;
inline constexpr uint8_t abort = 6;
inline constexpr uint8_t shutdown = 7;
inline constexpr uint8_t shutdown_ack = 8;
inline constexpr uint8_t error = 9;
inline constexpr uint8_t cookie_echo = 10;
inline constexpr uint8_t cookie_ack = 11;
inline constexpr uint8_t ecne = 12;
inline constexpr uint8_t cwr = 13;
inline constexpr uint8_t shutdown_complete = 14;
}  // namespace sctp_chunk

template <typename Byte>
class BasicSctp : public HeaderView<Byte> {
 public:
  static constexpr size_t header_length = 12;
  static constexpr size_t checksum_offset = 8;

  using HeaderView<Byte>::HeaderView;
  static Parsed<BasicSctp> parse(std::span<Byte> bytes) {
    if (bytes.size() < header_length) return Malformed::truncated;
    return BasicSctp(bytes);
  }

  uint16_t source_port() const { return this->be16(0); }
  uint16_t destination_port() const { return this->be16(2); }
  uint32_t verification_tag() const { return this->be32(4); }
  // The field as sctp_checksum() computes it: least significant byte first.
  uint32_t checksum() const { return __builtin_bswap32(this->be32(checksum_offset)); }
  std::span<Byte> chunks() const { return this->bytes_.subspan(header_length); }
  bool is_checksum_ok() const { return checksum() == sctp_checksum(this->bytes_); }

  // The setters of ports do not update the checksum.
  void set_source_port(uint16_t port) requires Writable<Byte> { store_be16(this->at(0), port); }
  void set_destination_port(uint16_t port) requires Writable<Byte> { store_be16(this->at(2), port); }
  void fill_checksum() requires Writable<Byte> {
    store_be32(this->at(checksum_offset), __builtin_bswap32(sctp_checksum(this->bytes_)));
  }
};
using SctpView = BasicSctp<const uint8_t>;
using MutableSctpView = BasicSctp<uint8_t>;

struct SctpChunk {
  static constexpr size_t header_length = 4;
  uint8_t type = 0;
  uint8_t flags = 0;
  Bytes value;  // without the chunk's header and its padding
};

// One pass over the chunks. Chunks start at multiples of four bytes; a chunk's length does not count the padding.
class SctpChunkWalk {
 public:
  explicit SctpChunkWalk(Bytes chunks) : rest_(chunks) {}

  bool next(SctpChunk& chunk);
  // Why the walk stopped. Faults: a length below the chunk header or past the packet; fewer bytes than a chunk header
  // at the end.
  Malformed reason() const { return reason_; }

 private:
  Bytes rest_;
  Malformed reason_ = Malformed::ok;
};

struct SctpFields {
  uint16_t source_port = 0, destination_port = 0;
  uint32_t verification_tag = 0;
};
// Writes SctpView::header_length bytes, the checksum zero.
void emit(const SctpFields& fields, uint8_t* to);

// As tcpdump: "sctp (1) [INIT] [init tag: 1] [rwnd: 2] [OS: 3] [MIS: 4] [init TSN: 5] ".
void print(std::string& out, SctpView sctp);

}  // namespace sluice::wire
