// SPDX-License-Identifier: Apache-2.0
// Reads the table of connections in parts, or ends connections. A visitor reads some places of the table, and the
// worker runs again before the visitor reads the next part.
//
// A flow keeps its place in the table for as long as it lives, and places are read in order, IPv4 before IPv6. So a
// flow that lives from the first part to the last is read exactly once, whatever else begins or ends meanwhile. No flow
// is read twice. A flow that begins or ends meanwhile may be read or missed. If a client closes its connection and
// opens it again meanwhile, it has two flows one after the other: both may be read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "director/stages/director.h"

namespace sluice::engine {

struct Connection {
  struct End {
    wire::Address address;
    uint16_t port = 0;
  };
  uint8_t protocol = 0, state = 0;
  bool is_template = false;
  Time expires = 0;  // nanoseconds from now
  End client, virtual_service, server, local;
};

// Which connections are wanted: those that fit all fields that are given.
struct ConnectionFilter {
  std::optional<director::ServiceKey> service;  // the service of the flow's real server
  std::optional<wire::Address> client, server;
  std::optional<uint16_t> server_port;
  std::optional<uint8_t> protocol;
  std::string state;  // as state_text() says it; empty: any
};

// The name of its state, as ipvsadm lists it.
std::string_view state_text(const Connection& connection);
// All names that a state can have.
std::vector<std::string_view> state_names();

// A place in the flow tables. 0 is the first one.
using ConnectionCursor = uint64_t;

// Appends the wanted connections at `places` places, beginning at `cursor`. Returns the cursor for the next part;
// nothing at the end.
std::optional<ConnectionCursor> read_connections(director::Director& director, Time now, ConnectionCursor cursor,
                                                 uint32_t places, std::vector<Connection>& connections,
                                                 const ConnectionFilter& filter = {});

// As above, but ends the wanted connections, and adds their number to `ended`. Their next packets find no flow: those
// of TCP are reset, those of UDP are scheduled anew. A template ends when no connection uses it any more.
std::optional<ConnectionCursor> end_connections(director::Director& director, ConnectionCursor cursor, uint32_t places,
                                                uint32_t& ended, const ConnectionFilter& filter);

}  // namespace sluice::engine
