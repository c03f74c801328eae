// SPDX-License-Identifier: Apache-2.0
#include "wire/ipv4.h"

#include "wire/options.h"

namespace sluice::wire {

namespace {

constexpr uint8_t record_route = 7;
constexpr uint8_t timestamp = 68;
constexpr uint8_t loose_source_route = 131;
constexpr uint8_t strict_source_route = 137;

// Routes and timestamps have a pointer after their length; timestamps also have a byte of flags. Routers write at the
// pointer.
size_t least_data(uint8_t kind) {
  switch (kind) {
    case record_route:
    case loose_source_route:
    case strict_source_route:
      return 1;
    case timestamp:
      return 2;
    default:
      return 0;
  }
}

}  // namespace

bool ipv4_options_ok(Bytes options) {
  OptionWalk walk(options);
  Option option;
  while (walk.next(option)) {
    const size_t least = least_data(option.kind);
    if (option.data.size() < least) return false;
    // Pointers count from the kind, which is 1: the first slot of a route is 4, of timestamps 5.
    if (least > 0 && option.data[0] < least + 3) return false;
  }
  return walk.reason() == Malformed::ok;
}

void emit(const Ipv4Fields& fields, uint8_t* to) {
  to[0] = 0x45;
  to[1] = fields.tos;
  store_be16(to + 2, fields.total_length);
  store_be16(to + 4, fields.id);
  store_be16(to + 6, fields.flags_and_offset);
  to[8] = fields.ttl;
  to[9] = fields.protocol;
  fields.source.store(to + 12);
  fields.destination.store(to + 16);
  MutableIpv4View(MutableBytes(to, Ipv4View::minimum_header_length)).fill_checksum();
}

}  // namespace sluice::wire
