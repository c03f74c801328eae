// SPDX-License-Identifier: Apache-2.0
#include "engine/connections.h"

namespace sluice::engine {

namespace {

constexpr ConnectionCursor first_ipv6 = ConnectionCursor{1} << 32;

template <class A>
Connection connection_of(const director::Flow<A>& flow, director::Director& director, Tick now) {
  const auto left = static_cast<int32_t>(flow.deadline - now);
  wire::Address server = flow.real_server();
  if (flow.destination != director::no_destination) server = director.services().destination(flow.destination).address;
  return {.protocol = flow.protocol,
          .state = flow.state,
          .is_template = flow.is_template(),
          .expires = left > 0 ? Time(left) << core::tick_shift : 0,
          .client = {flow.client(), flow.client_port()},
          .virtual_service = {flow.virtual_address(), flow.virtual_port()},
          .server = {server, flow.real_server_port()},
          .local = {flow.local(), flow.local_port()}};
}

// Returns the next place; nothing after the last one.
template <class A>
std::optional<uint32_t> read_family(director::Director& director, Time now, uint32_t place, uint32_t places,
                                    std::vector<Connection>& connections) {
  auto& table = director.flows<A>().table();
  const Tick tick = tick_at(now);
  const uint32_t next = table.walk(place, places, [&](const director::Flow<A>& flow) {
    connections.push_back(connection_of(flow, director, tick));
  });
  return next < table.span() ? std::optional(next) : std::nullopt;
}

}  // namespace

std::optional<ConnectionCursor> read_connections(director::Director& director, Time now, ConnectionCursor cursor,
                                                 uint32_t places, std::vector<Connection>& connections) {
  const auto place = static_cast<uint32_t>(cursor);
  if (cursor < first_ipv6) {
    const auto next = read_family<wire::Ipv4Address>(director, now, place, places, connections);
    return next ? ConnectionCursor{*next} : first_ipv6;
  }
  const auto next = read_family<wire::Ipv6Address>(director, now, place, places, connections);
  return next ? std::optional(first_ipv6 + *next) : std::nullopt;
}

}  // namespace sluice::engine
