// SPDX-License-Identifier: Apache-2.0
#include "wire/gre.h"

#include "wire/text.h"

namespace sluice::wire {

Parsed<GreView> GreView::parse(Bytes bytes) {
  if (bytes.size() < minimum_header_length) return Malformed::truncated;
  const GreView view(bytes);
  if ((view.flags() & version_mask) != 0) return Malformed::bad_version;
  if ((view.flags() & ~(checksum_flag | key_flag | sequence_flag)) != 0) return Malformed::bad_format;
  if (view.header_length() > bytes.size()) return Malformed::header_beyond_packet;
  return view;
}

std::optional<uint32_t> GreView::key() const {
  if ((flags() & key_flag) == 0) return std::nullopt;
  return be32(length_for(flags() & checksum_flag));
}

std::optional<uint32_t> GreView::sequence() const {
  if ((flags() & sequence_flag) == 0) return std::nullopt;
  return be32(length_for(flags() & (checksum_flag | key_flag)));
}

uint16_t GreFields::flags() const {
  return static_cast<uint16_t>((checksum ? GreView::checksum_flag : 0) | (key ? GreView::key_flag : 0) |
                               (sequence ? GreView::sequence_flag : 0));
}

size_t emit(const GreFields& fields, MutableBytes header_and_payload) {
  uint8_t* const start = header_and_payload.data();
  uint8_t* to = start + GreView::minimum_header_length;
  store_be16(start, fields.flags());
  store_be16(start + 2, fields.type);
  if (fields.checksum) {
    store_be32(to, 0);  // the checksum, and two reserved bytes
    to += 4;
  }
  if (fields.key) {
    store_be32(to, *fields.key);
    to += 4;
  }
  if (fields.sequence) store_be32(to, *fields.sequence);
  if (fields.checksum) store_raw16(start + GreView::minimum_header_length, internet_checksum(header_and_payload));
  return fields.header_length();
}

void print(std::string& out, GreView gre, size_t length) {
  out += "GREv0";
  if (gre.has_checksum()) out += ", off 0x0";
  if (const auto key = gre.key()) append(out, ", key=0x%x", *key);
  if (const auto sequence = gre.sequence()) append(out, ", seq %u", *sequence);
  append(out, ", length %zu: ", length);
}

}  // namespace sluice::wire
