// SPDX-License-Identifier: Apache-2.0
// What belongs to directors that are configured like this, for those who keep it away from the host's own stack.
#pragma once

#include <span>
#include <vector>

#include "director/stages/director.h"
#include "engine/configuration.h"
#include "host/owned_traffic.h"
#include "host/steering.h"

namespace sluice::engine {

// The traffic of services, of real servers as long as flows may point at them, of pools and egress rules. Services by
// firewall mark have packets by the rules of marks; `interfaces` are those of the ports that rules may ask for.
host::OwnedTraffic owned_traffic_of(const Configuration& configuration, uint16_t workers,
                                    std::span<const uint32_t> interfaces);

// Of the virtual addresses and those of pools, which the host has by a route alone (ip route add … local), so that no
// list of its addresses tells. Each once.
std::vector<wire::Address> addresses_by_route(const Configuration& configuration,
                                              const director::RouteTable& route_table);

// Real servers that are this host itself.
struct LocalNodes {
  bool any = false;
  bool translated = false;                     // by nat or fullnat, and no loopback address
  std::vector<wire::Address> local_addresses;  // from which fullnat reaches them, without those that the host has too
};
LocalNodes local_nodes_of(const Configuration& configuration, const director::RouteTable& route_table);

// The flows of one worker, some at a time, so that no visit lasts long. False when all have been seen.
struct FlowCursor {
  uint32_t at4 = 0, at6 = 0;
};
bool placed_flows(director::Director& director, uint16_t worker, FlowCursor& cursor,
                  std::vector<host::PlacedFlow>& flows);

}  // namespace sluice::engine
