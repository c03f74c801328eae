// SPDX-License-Identifier: Apache-2.0
// What the kernel says of its network in rtnetlink messages (rtnetlink(7)), as plain records.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "host/netlink.h"
#include "wire/address.h"

namespace sluice::host {

struct LinkRecord {
  uint32_t index = 0;
  std::string name;
  wire::MacAddress mac;
  uint32_t mtu = 0;
  bool is_up = false;  // set up, and has a carrier
};

struct AddressRecord {
  uint32_t interface = 0;
  wire::Address address;
  uint8_t prefix_length = 0;  // of the network that the address puts on the link
  bool is_usable = true;      // not while duplicates are being looked for, nor after one was found
  bool is_preferred = true;   // as source: global, and not deprecated
};

struct RouteWay {
  uint32_t interface = 0;
  wire::Address via;  // unspecified: on the link
  uint32_t weight = 1;
  bool is_dead = false;
};

struct RouteRecord {
  enum class Kind : uint8_t { unicast, local, unreachable };
  Kind kind = Kind::unicast;
  uint32_t table = 0;
  wire::Address to;
  uint8_t prefix_length = 0;
  uint32_t metric = 0;  // the least wins
  uint32_t mtu = 0;     // 0: the interface's
  wire::Address source;
  std::vector<RouteWay> ways;
};

struct NeighbourRecord {
  uint32_t interface = 0;
  wire::Address address;
  wire::MacAddress mac;
  enum class State : uint8_t { unresolved, failed, stale, confirmed } state = State::unresolved;
  bool has_mac() const { return state == State::stale || state == State::confirmed; }
};

// Nothing where the message is not of that kind, is not of IP and Ethernet, or lacks what the record needs.
std::optional<LinkRecord> link_of(const NetlinkMessage& message);
std::optional<AddressRecord> address_of(const NetlinkMessage& message);
std::optional<RouteRecord> route_of(const NetlinkMessage& message);
std::optional<NeighbourRecord> neighbour_of(const NetlinkMessage& message);

}  // namespace sluice::host
