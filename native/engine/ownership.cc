// SPDX-License-Identifier: Apache-2.0
#include "engine/ownership.h"

#include <bit>

namespace sluice::engine {

namespace {

// Bits of a mask that a persistent service compares clients by.
uint8_t prefix_of(const wire::Address& netmask) {
  int bits = 0;
  for (const uint8_t byte : netmask.bytes) bits += std::popcount(byte);
  return static_cast<uint8_t>(bits);
}

// A persistent service sends a client's connections to one server, a limit of sources counts them: they must meet one
// worker.
void steer_for(const lvs::Service& service, host::Belongings::Steering& steering) {
  const lvs::SourceLimitSettings& limit = service.settings.source_limit;
  uint8_t& prefix = service.key.address.family == wire::Family::ipv4 ? steering.ipv4_prefix : steering.ipv6_prefix;
  if (service.is_persistent()) prefix = std::min(prefix, prefix_of(service.settings.persistence_mask));
  if (limit.rate != 0) prefix = std::min(prefix, limit.prefix);
  if (service.is_persistent() || limit.rate != 0) steering.by_port = false;
}

}  // namespace

host::Belongings belongings_of(const lvs::Director& director, uint16_t workers) {
  host::Belongings belongings;
  belongings.steering.workers = workers;
  director.services().for_each_service([&](const lvs::Service& service) {
    steer_for(service, belongings.steering);
    const lvs::ServiceKey& key = service.key;
    if (key.mark == 0) belongings.services.push_back({key.address, key.port, key.protocol});
  });
  director.services().for_each_destination([&](const lvs::Destination& destination) {
    if (destination.forwarding == lvs::Forwarding::nat) {
      belongings.nat_servers.push_back({destination.address, destination.port, destination.home.protocol});
    } else if (destination.forwarding == lvs::Forwarding::tunnel) {
      belongings.tunnel_servers.push_back(destination.address);
    }
  });
  director.pools().for_each_range([&](const wire::Address& address, uint16_t first, uint16_t last) {
    belongings.pools.push_back({address, first, last});
  });
  for (const lvs::EgressRule& rule : director.egress()) {
    belongings.egress_sources.push_back({rule.network, rule.prefix_length});
  }
  return belongings;
}

}  // namespace sluice::engine
