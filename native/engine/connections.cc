// SPDX-License-Identifier: Apache-2.0
#include "engine/connections.h"

#include <algorithm>

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

// The cheap questions come first: a table may have millions of flows.
template <class A>
bool is_wanted(const director::Flow<A>& flow, director::Director& director, const ConnectionFilter& filter) {
  if (filter.client && wire::Address(flow.client()) != *filter.client) return false;
  if (filter.server_port && flow.real_server_port() != *filter.server_port) return false;
  if (filter.protocol && flow.protocol != *filter.protocol) return false;
  const Connection kind{.protocol = flow.protocol, .state = flow.state, .is_template = flow.is_template()};
  if (!filter.state.empty() && state_text(kind) != filter.state) return false;
  if (!filter.service && !filter.server) return true;
  if (flow.destination == director::no_destination) return false;
  const director::Destination& destination = director.services().destination(flow.destination);
  if (filter.server && destination.address != *filter.server) return false;
  return !filter.service || destination.home == *filter.service;
}

// Calls `take` with each wanted flow. Returns the next place; nothing after the last one.
template <class A, class Take>
std::optional<uint32_t> walk_family(director::Director& director, uint32_t place, uint32_t places,
                                    const ConnectionFilter& filter, const Take& take) {
  auto& table = director.flows<A>().table();
  const uint32_t next = table.walk(place, places, [&](director::Flow<A>& flow) {
    if (is_wanted(flow, director, filter)) take(flow);
  });
  return next < table.span() ? std::optional(next) : std::nullopt;
}

template <class Take>
std::optional<ConnectionCursor> walk(director::Director& director, ConnectionCursor cursor, uint32_t places,
                                     const ConnectionFilter& filter, const Take& take) {
  const auto place = static_cast<uint32_t>(cursor);
  if (cursor < first_ipv6) {
    const auto next = walk_family<wire::Ipv4Address>(director, place, places, filter, take);
    return next ? ConnectionCursor{*next} : first_ipv6;
  }
  const auto next = walk_family<wire::Ipv6Address>(director, place, places, filter, take);
  return next ? std::optional(first_ipv6 + *next) : std::nullopt;
}

}  // namespace

std::string_view state_text(const Connection& connection) {
  if (connection.is_template) return connection.state == director::template_state::assured ? "ASSURED" : "NONE";
  switch (connection.protocol) {
    case wire::protocol::tcp:
      return director::name(static_cast<director::TcpState>(connection.state));
    case wire::protocol::sctp:
      return director::name(static_cast<director::SctpState>(connection.state));
    case wire::protocol::udp:
      return director::name(director::UdpState::normal);
    default:
      return "NONE";
  }
}

std::vector<std::string_view> state_names() {
  std::vector<std::string_view> names = {"ASSURED"};
  const auto add = [&](uint8_t protocol, size_t states) {
    for (size_t state = 0; state < states; state++) {
      const std::string_view name = state_text({.protocol = protocol, .state = static_cast<uint8_t>(state)});
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
  };
  add(wire::protocol::tcp, director::tcp_state_count);
  add(wire::protocol::sctp, director::sctp_state_count);
  add(wire::protocol::udp, 1);
  return names;
}

std::optional<ConnectionCursor> read_connections(director::Director& director, Time now, ConnectionCursor cursor,
                                                 uint32_t places, std::vector<Connection>& connections,
                                                 const ConnectionFilter& filter) {
  const Tick tick = tick_at(now);
  return walk(director, cursor, places, filter,
              [&](const auto& flow) { connections.push_back(connection_of(flow, director, tick)); });
}

std::optional<ConnectionCursor> end_connections(director::Director& director, ConnectionCursor cursor, uint32_t places,
                                                uint32_t& ended, const ConnectionFilter& filter) {
  return walk(director, cursor, places, filter, [&]<class A>(director::Flow<A>& flow) {
    const bool holds_others = flow.is_template() && flow.control > 0;
    if (holds_others) return;
    director.flows<A>().end(flow, director::Template::goes);
    ended++;
  });
}

}  // namespace sluice::engine
