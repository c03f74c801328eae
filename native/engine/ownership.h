// SPDX-License-Identifier: Apache-2.0
// The traffic that belongs to directors of a given configuration, for the code that steals it from the host's stack.
#pragma once

#include <span>
#include <vector>

#include "director/stages/director.h"
#include "engine/configuration.h"
#include "host/owned_traffic.h"
#include "host/steering.h"

namespace sluice::engine {

// The configuration in force; while a plan is prepared, the one to come after it. What belongs to either belongs to the
// director. Rules of marks count in their order, so those of the last configuration hold alone.
//
// What follows from a single service is computed once and kept in its entry. So with ten thousand services the
// functions below take a millisecond, as long as few services have changed. One thread at a time calls them.
using Configurations = std::span<const Configuration* const>;

// The traffic of services, of real servers as long as flows may point at them, of pools and of egress rules. A service
// by firewall mark owns packets by the mark rules; `interfaces` are those of the ports that mark rules may name.
host::OwnedTraffic owned_traffic_of(Configurations configurations, uint16_t workers,
                                    std::span<const uint32_t> interfaces);

// A route table, and its number: another table has another number, and none has 0.
struct NumberedRoutes {
  const director::RouteTable& table;
  uint64_t number;
};

// Virtual addresses and pool addresses that the host has only by a route (ip route add … local), so that the list of
// its addresses lacks them. Each address once.
std::vector<wire::Address> addresses_by_route(Configurations configurations, const NumberedRoutes& routes);

// Real servers that are this host itself.
struct LocalNodes {
  bool any = false;
  bool translated = false;                     // by nat or fullnat, and no loopback address
  std::vector<wire::Address> local_addresses;  // from which fullnat reaches them, without those that the host has too
};
LocalNodes local_nodes_of(Configurations configurations, const NumberedRoutes& routes);

// The flows of one worker, some per call, so that no visit lasts long. False when all flows have been visited.
struct FlowCursor {
  uint32_t at4 = 0, at6 = 0;
};
bool placed_flows(director::Director& director, uint16_t worker, FlowCursor& cursor,
                  std::vector<host::PlacedFlow>& flows);

}  // namespace sluice::engine
