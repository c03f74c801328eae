// SPDX-License-Identifier: Apache-2.0
#include "director/outgoing/ip_options.h"

namespace sluice::director {

namespace {

constexpr uint8_t end_of_options = 0, no_operation = 1, record_route_kind = 7;
constexpr uint8_t loose_source_route = 131, strict_source_route = 137;
// Kind, length, pointer. The pointer counts from one and first points behind itself.
constexpr size_t route_header = 3;
constexpr uint8_t first_pointer = 4;
constexpr size_t address_length = 4;

// Calls visit(kind, whole option) for each option. False if the list is malformed.
template <class Visit>
bool walk(wire::Bytes options, Visit visit) {
  for (size_t at = 0; at < options.size();) {
    const uint8_t kind = options[at];
    if (kind == end_of_options) return true;
    if (kind == no_operation) {
      at++;
      continue;
    }
    if (at + 1 >= options.size()) return false;
    const size_t length = options[at + 1];
    if (length < 2 || at + length > options.size()) return false;
    if (!visit(kind, at, length)) return false;
    at += length;
  }
  return true;
}

}  // namespace

OptionsVerdict check_options(wire::Bytes options) {
  bool has_source_route = false;
  const bool well_formed = walk(options, [&](uint8_t kind, size_t at, size_t length) {
    has_source_route |= kind == loose_source_route || kind == strict_source_route;
    const bool has_pointer = kind == record_route_kind || kind == loose_source_route || kind == strict_source_route;
    return !has_pointer || (length >= route_header && options[at + 2] >= first_pointer);
  });
  if (!well_formed) return OptionsVerdict::malformed;
  return has_source_route ? OptionsVerdict::source_route : OptionsVerdict::ok;
}

bool record_route(wire::MutableBytes options, wire::Ipv4Address address) {
  bool recorded = false;
  walk(options, [&](uint8_t kind, size_t at, size_t length) {
    if (kind != record_route_kind || length < route_header) return true;
    const size_t pointer = options[at + 2];
    if (pointer < first_pointer || pointer - 1 + address_length > length) return true;
    address.store(options.data() + at + pointer - 1);
    options[at + 2] = static_cast<uint8_t>(pointer + address_length);
    recorded = true;
    return true;
  });
  return recorded;
}

size_t echo_options(wire::Bytes options, wire::Ipv4Address address, uint8_t* to) {
  size_t length = 0;
  walk(options, [&](uint8_t kind, size_t at, size_t option_length) {
    if (kind != record_route_kind || option_length < route_header) return true;
    std::memcpy(to, options.data() + at, option_length);
    length = option_length;
    return false;
  });
  record_route(wire::MutableBytes(to, length), address);
  for (; length % 4 != 0; length++) to[length] = end_of_options;
  return length;
}

size_t answered_options(wire::Bytes options, wire::Ipv4Address address, uint8_t* to) {
  std::array<uint8_t, echoed_options_room> arrived{};
  const wire::MutableBytes recorded(arrived.data(), options.size());
  std::copy(options.begin(), options.end(), recorded.begin());
  record_route(recorded, address);
  return echo_options(recorded, address, to);
}

}  // namespace sluice::director
