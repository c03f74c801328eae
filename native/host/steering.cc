// SPDX-License-Identifier: Apache-2.0
#include "host/steering.h"

#include <algorithm>

#include "director/network/route_table.h"

namespace sluice::host {

namespace {

constexpr uint32_t ipv4_part = 96;  // bits of a steal_address in front of an IPv4 address

}  // namespace

Division division_in(wire::Family family, const OwnedTraffic::Steering& steering) {
  const uint32_t bits = family == wire::Family::ipv4 ? ipv4_part + steering.ipv4_prefix : steering.ipv6_prefix;
  return {bits, steering.by_port};
}

Division stricter(const Division& a, const Division& b) {
  return {std::min(a.bits, b.bits), a.by_port && b.by_port};
}

bpf::steal_steering steering_for(const Division& division) {
  constexpr uint32_t bits_of_word = 32;
  bpf::steal_steering steering{};
  uint32_t left = division.bits;
  for (uint8_t& bits : steering.bits) {
    bits = static_cast<uint8_t>(std::min(left, bits_of_word));
    left -= bits;
  }
  steering.flags = division.by_port ? bpf::STEAL_BY_PORT : 0;
  return steering;
}

bool may_carry(const OwnedTraffic::Mark& mark, const OwnedTraffic::Part& service) {
  const bool has_service = service.address.family == wire::Family::ipv4 ? mark.has_ipv4_service : mark.has_ipv6_service;
  if (!has_service) return false;
  if (mark.protocol != 0 && service.protocol != 0 && mark.protocol != service.protocol) return false;
  if (mark.ports && service.port != 0 && (service.port < mark.ports->first || service.port > mark.ports->last))
    return false;
  if (!mark.destination) return true;
  return mark.destination->address.family == service.address.family &&
         director::masked(service.address, mark.destination->prefix_length) ==
             director::masked(mark.destination->address, mark.destination->prefix_length);
}

uint32_t worker_of(const bpf::steal_steering& steering, const PlacedFlow& flow, uint32_t workers) {
  const bpf::steal_address client = key_of(flow.client);
  return bpf::steal_hash(&steering, &client, flow.client_port) % workers;
}

}  // namespace sluice::host
