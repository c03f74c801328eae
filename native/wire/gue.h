// SPDX-License-Identifier: Apache-2.0
// Generic UDP encapsulation (draft-ietf-intarea-gue-09), as Linux's fou module speaks it.
//
// Variant 0:  | 0 C hlen | proto/ctype | flags | optional fields, hlen * 4 bytes | payload
// Variant 1 has no header: the UDP payload is an IPv4 or IPv6 packet, whose version field reads as variant 1.
//
// Linux sends one optional field: private data (flag bit 0) with the remote checksum option (bit 31 of the private
// flags). The option is two words: where the inner checksum starts and where it is stored, counted from the payload.
// The inner checksum field then holds the folded pseudo-header sum, and the outer UDP checksum covers the payload for
// it.
#pragma once

#include <optional>
#include <string>

#include "wire/malformed.h"
#include "wire/protocol.h"

namespace sluice::wire {

struct RemoteChecksum {
  uint16_t start = 0;   // first byte that the inner checksum covers, from the start of the payload
  uint16_t offset = 0;  // of the checksum field, from the start of the payload
  bool operator==(const RemoteChecksum&) const = default;
};

class GueView : public HeaderView<const uint8_t> {
 public:
  static constexpr size_t minimum_header_length = 4;
  static constexpr uint16_t private_flag = 0x0001;
  static constexpr uint32_t private_remote_checksum = 0x80000000;
  static constexpr size_t private_flags_length = 4;
  static constexpr size_t remote_checksum_length = 4;
  static constexpr uint16_t port = 6080;  // assigned by IANA; Linux has no default

  using HeaderView::HeaderView;
  // Flags other than the private one announce fields of unknown place: bad_format. The same holds for private flags
  // other than the remote checksum's.
  static Parsed<GueView> parse(Bytes bytes);

  uint8_t variant() const { return u8(0) >> 6; }
  bool is_control() const { return variant() == 0 && (u8(0) & 0x20) != 0; }
  size_t header_length() const { return variant() == 1 ? 0 : header_length_at(bytes_); }
  // The IP protocol of the payload. For a control message: its type.
  uint8_t protocol() const;
  std::optional<RemoteChecksum> remote_checksum() const;
  Bytes payload() const { return bytes_.subspan(header_length()); }

 private:
  static size_t header_length_at(Bytes bytes) { return minimum_header_length + (bytes[0] & 0x1fu) * 4; }
  static Malformed check_variant_1(Bytes bytes);
  static Malformed check_fields(Bytes fields, uint16_t flags);
};

// A header of variant 0.
struct GueFields {
  uint8_t protocol = protocol::ipip;
  std::optional<RemoteChecksum> remote_checksum = {};

  size_t header_length() const {
    return GueView::minimum_header_length +
           (remote_checksum ? GueView::private_flags_length + GueView::remote_checksum_length : 0);
  }
};
// Writes the header and returns its length.
size_t emit(const GueFields& fields, uint8_t* to);

// tcpdump does not know GUE. Prints "GUEv0, proto 4, remcsum 20 36: " or "GUEv1: ".
void print(std::string& out, GueView gue);

}  // namespace sluice::wire
