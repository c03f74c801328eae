// SPDX-License-Identifier: Apache-2.0
#include "wire/icmpv6.h"

namespace sluice::wire {

void emit(const Icmpv6Fields& fields, uint8_t* to) {
  to[0] = fields.type;
  to[1] = fields.code;
  store_be16(to + 2, 0);
  store_be32(to + 4, fields.rest);
}

Parsed<NeighbourView> NeighbourView::parse(Bytes bytes) {
  if (bytes.size() < header_length) return Malformed::truncated;
  if (bytes[0] != icmpv6_type::neighbour_solicitation && bytes[0] != icmpv6_type::neighbour_advertisement) {
    return Malformed::bad_format;
  }
  for (size_t at = header_length; at < bytes.size();) {
    if (bytes.size() - at < option_unit) return Malformed::bad_option;
    const size_t length = bytes[at + 1] * option_unit;
    if (length == 0 || length > bytes.size() - at) return Malformed::bad_option;
    at += length;
  }
  return NeighbourView(bytes);
}

std::optional<MacAddress> NeighbourView::link_address(uint8_t option) const {
  for (Bytes rest = options(); !rest.empty(); rest = rest.subspan(rest[1] * option_unit)) {
    if (rest[0] != option || rest[1] != 1) continue;  // Ethernet addresses take one unit
    MacAddress mac;
    std::memcpy(&mac.bytes, rest.data() + 2, MacAddress::size);
    return mac;
  }
  return std::nullopt;
}

void emit(const NeighbourFields& fields, uint8_t* to) {
  emit(Icmpv6Fields{.type = fields.type, .rest = uint32_t{fields.flags} << 24}, to);
  fields.target.store(to + 8);
  uint8_t* const option = to + NeighbourView::header_length;
  option[0] = fields.type == icmpv6_type::neighbour_advertisement ? neighbour_option::target_link_address
                                                                  : neighbour_option::source_link_address;
  option[1] = 1;
  std::memcpy(option + 2, &fields.link_address.bytes, MacAddress::size);
}

}  // namespace sluice::wire
