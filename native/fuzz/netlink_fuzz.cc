// SPDX-License-Identifier: Apache-2.0
// Netlink messages, as many as the input holds, read as the kernel's and made into a route table. No read may leave the
// message, and every accepted message must give a table that can be used.
#include <cstdlib>

#include "host/host_network.h"

using namespace sluice;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  host::HostTables tables;
  host::for_each_message(wire::Bytes(data, size), [&](const host::NetlinkMessage& message) {
    if (auto link = host::link_of(message)) tables.links.push_back(std::move(*link));
    if (auto address = host::address_of(message)) tables.addresses.push_back(*address);
    if (auto route = host::route_of(message)) tables.routes.push_back(std::move(*route));
    if (const auto neighbour = host::neighbour_of(message)) {
      tables.neighbours[{neighbour->interface, neighbour->address}] = *neighbour;
    }
  });
  const director::RouteTable route_table = host::route_table_of(tables, {{"b0"}, {"lo"}});
  for (const host::RouteRecord& route : tables.routes) {
    const director::NextHop hop = route_table.next_hop(route.to);
    if (hop.port >= route_table.ports().size()) abort();
  }
  return 0;
}
