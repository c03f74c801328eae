// SPDX-License-Identifier: Apache-2.0
// What surrounds the director: its ports, the routes and the neighbours; how a packet gets to an address.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "lvs/frame.h"
#include "wire/address.h"

namespace sluice::lvs {

struct AddressHash {
  size_t operator()(const wire::Address& address) const;
};

struct InterfaceAddress {
  wire::Address address;
  uint8_t prefix_length = 32;
};

struct Port {
  std::string name;
  wire::MacAddress mac;
  uint32_t mtu = 1500;
  uint16_t vlan = 0;  // tag to put on what leaves; 0: none
  std::vector<InterfaceAddress> addresses;
};

struct Route {
  wire::Address to;
  uint8_t prefix_length = 0;
  wire::Address via;  // unspecified: the destination is on the link
  PortId port = 0;
};

struct Neighbour {
  wire::Address address;
  wire::MacAddress mac;
  PortId port = 0;
};

enum class HopState : uint8_t { reachable, no_route, no_neighbour, local };

// Everything that a frame's link-layer header needs, ready to be copied.
struct NextHop {
  HopState state = HopState::no_route;
  PortId port = 0;
  uint32_t mtu = 0;
  wire::MacAddress source;
  wire::MacAddress destination;
  wire::Address next;            // whose link-layer address it is: router or destination
  wire::Address source_address;  // that the host would send from on this route; unspecified if it has none
};

// Immutable once built; replaced as a whole when routes or neighbours change.
class Surroundings {
 public:
  Surroundings() = default;
  Surroundings(std::vector<Port> ports, std::vector<Route> routes, std::vector<Neighbour> neighbours);

  const std::vector<Port>& ports() const { return ports_; }
  // Longest prefix first; connected routes of the ports' addresses included.
  NextHop next_hop(const wire::Address& destination) const;
  bool is_local(const wire::Address& address) const { return local_.contains(address); }
  // The broadcast address of one of the ports' networks, or 255.255.255.255.
  bool is_broadcast(wire::Ipv4Address address) const;
  // The address that answers come from on this port: the first of the family, or unspecified.
  wire::Address port_address(PortId port, wire::Family family) const;
  uint64_t generation() const { return generation_; }

 private:
  struct PrefixRoutes {
    uint8_t prefix_length;
    std::unordered_map<wire::Address, uint32_t, AddressHash> routes;  // masked address → index in routes_
  };

  void add_route(uint32_t index);
  const Route* route_to(const wire::Address& destination) const;

  std::vector<Port> ports_;
  std::vector<Route> routes_;
  std::array<std::vector<PrefixRoutes>, 2> by_prefix_;  // IPv4, IPv6; longest first
  std::unordered_map<wire::Address, Neighbour, AddressHash> neighbours_;
  std::unordered_set<wire::Address, AddressHash> local_;
  std::unordered_set<uint32_t> broadcasts_;
  uint64_t generation_ = 0;
};

// The address with all bits past the prefix cleared.
wire::Address masked(wire::Address address, unsigned prefix_length);

}  // namespace sluice::lvs
