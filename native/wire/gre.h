// SPDX-License-Identifier: Apache-2.0
// GRE (RFC 2784) with key and sequence number (RFC 2890).
#pragma once

#include <optional>
#include <string>

#include "wire/checksum.h"
#include "wire/malformed.h"
#include "wire/protocol.h"

namespace sluice::wire {

class GreView : public HeaderView<const uint8_t> {
 public:
  static constexpr size_t minimum_header_length = 4;
  static constexpr size_t maximum_header_length = 16;
  static constexpr uint16_t checksum_flag = 0x8000;
  static constexpr uint16_t key_flag = 0x2000;
  static constexpr uint16_t sequence_flag = 0x1000;
  static constexpr uint16_t version_mask = 0x0007;

  using HeaderView::HeaderView;
  // Source routes (RFC 1701) and version 1 (PPTP) are refused, as RFC 2784 2.3 asks.
  static Parsed<GreView> parse(Bytes bytes);

  uint16_t flags() const { return be16(0); }
  uint16_t type() const { return be16(2); }
  bool has_checksum() const { return (flags() & checksum_flag) != 0; }
  // The checksum covers the GRE header and the payload. True if there is none.
  bool is_checksum_ok() const { return !has_checksum() || fold(sum_bytes(bytes_)) == 0xffff; }
  std::optional<uint32_t> key() const;
  std::optional<uint32_t> sequence() const;
  size_t header_length() const { return length_for(flags()); }
  Bytes payload() const { return bytes_.subspan(header_length()); }

  static constexpr size_t length_for(uint16_t flags) {
    return minimum_header_length + ((flags & checksum_flag) != 0 ? 4 : 0) + ((flags & key_flag) != 0 ? 4 : 0) +
           ((flags & sequence_flag) != 0 ? 4 : 0);
  }
};

struct GreFields {
  uint16_t type = ethertype::ipv4;
  bool checksum = false;
  std::optional<uint32_t> key = {};
  std::optional<uint32_t> sequence = {};

  uint16_t flags() const;
  size_t header_length() const { return GreView::length_for(flags()); }
};
// Writes the header in front of a payload that is already in place (the checksum, if asked for, covers both) and
// returns the header's length.
size_t emit(const GreFields& fields, MutableBytes header_and_payload);

// As tcpdump: "GREv0, key=0x5, length 44: ". `length` counts the header and the payload.
void print(std::string& out, GreView gre, size_t length);

}  // namespace sluice::wire
