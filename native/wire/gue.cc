// SPDX-License-Identifier: Apache-2.0
#include "wire/gue.h"

#include "wire/text.h"

namespace sluice::wire {

Malformed GueView::check_variant_1(Bytes bytes) {
  const uint8_t version = bytes[0] >> 4;
  return version == 4 || version == 6 ? Malformed::ok : Malformed::bad_version;
}

Malformed GueView::check_fields(Bytes fields, uint16_t flags) {
  if ((flags & ~private_flag) != 0) return Malformed::bad_format;
  if ((flags & private_flag) == 0) return Malformed::ok;
  if (fields.size() < private_flags_length) return Malformed::header_too_short;
  const uint32_t private_flags = load_be32(fields.data());
  if ((private_flags & ~private_remote_checksum) != 0) return Malformed::bad_format;
  if ((private_flags & private_remote_checksum) == 0) return Malformed::ok;
  return fields.size() < private_flags_length + remote_checksum_length ? Malformed::header_too_short : Malformed::ok;
}

Parsed<GueView> GueView::parse(Bytes bytes) {
  if (bytes.size() < minimum_header_length) return Malformed::truncated;
  const GueView view(bytes);
  Malformed reason = Malformed::bad_version;
  if (view.variant() == 1) {
    reason = check_variant_1(bytes);
  } else if (view.variant() == 0) {
    if (header_length_at(bytes) > bytes.size()) return Malformed::header_beyond_packet;
    const Bytes fields = bytes.subspan(minimum_header_length, header_length_at(bytes) - minimum_header_length);
    reason = check_fields(fields, load_be16(bytes.data() + 2));
  }
  if (reason != Malformed::ok) return reason;
  return view;
}

uint8_t GueView::protocol() const {
  if (variant() == 0) return u8(1);
  return u8(0) >> 4 == 4 ? protocol::ipip : protocol::ipv6;
}

std::optional<RemoteChecksum> GueView::remote_checksum() const {
  if (variant() != 0 || (be16(2) & private_flag) == 0) return std::nullopt;
  if ((be32(minimum_header_length) & private_remote_checksum) == 0) return std::nullopt;
  constexpr size_t at = minimum_header_length + private_flags_length;
  return RemoteChecksum{be16(at), be16(at + 2)};
}

size_t emit(const GueFields& fields, uint8_t* to) {
  const size_t length = fields.header_length();
  to[0] = static_cast<uint8_t>((length - GueView::minimum_header_length) / 4);
  to[1] = fields.protocol;
  store_be16(to + 2, fields.remote_checksum ? GueView::private_flag : 0);
  if (fields.remote_checksum) {
    store_be32(to + 4, GueView::private_remote_checksum);
    store_be16(to + 8, fields.remote_checksum->start);
    store_be16(to + 10, fields.remote_checksum->offset);
  }
  return length;
}

void print(std::string& out, GueView gue) {
  append(out, "GUEv%u", gue.variant());
  if (gue.variant() == 0) append(out, ", %s %u", gue.is_control() ? "control" : "proto", gue.protocol());
  if (const auto remote = gue.remote_checksum()) append(out, ", remcsum %u %u", remote->start, remote->offset);
  out += ": ";
}

}  // namespace sluice::wire
