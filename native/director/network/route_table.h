// SPDX-License-Identifier: Apache-2.0
// What surrounds the director: its ports, the routes and the neighbours; how a packet gets to an address.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "director/network/frame.h"
#include "wire/address.h"

namespace sluice::director {

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
  bool cuts_tunnelled = false;  // takes TCP frames in tunnels whole and has their segments cut behind it
};

// One of several ways of a route.
struct RouteHop {
  wire::Address via;  // unspecified: the destination is on the link
  PortId port = 0;
  uint32_t weight = 1;
};

enum class RouteKind : uint8_t { unicast, local, unreachable };

struct Route {
  wire::Address to;
  uint8_t prefix_length = 0;
  wire::Address via;  // unspecified: the destination is on the link
  PortId port = 0;
  std::vector<RouteHop> more = {};  // further ways beside this one, which has the weight 1 among them unless it says so
  uint32_t weight = 1;
  RouteKind kind = RouteKind::unicast;
  uint32_t mtu = 0;           // 0: the port's
  wire::Address source = {};  // to send from; unspecified: the port's first address
};

struct Neighbour {
  wire::Address address;
  wire::MacAddress mac;
  PortId port = 0;
};

enum class HopState : uint8_t { reachable, no_route, no_neighbour, local };

// Everything that a frame's link-layer header needs, ready to be copied: first what the express lane reads.
struct alignas(16) NextHop {
  uint16_t plain_mtu = 0;  // `mtu` where packets leave in frames without a tag and at once; 0 elsewhere
  PortId port = 0;
  wire::MacAddress destination;
  wire::MacAddress source;
  HopState state = HopState::no_route;
  uint8_t more = 0;  // ways to the same prefix that stand behind this one: a destination has one of them
  uint32_t mtu = 0;
  wire::Address next;            // whose link-layer address it is: router or destination
  wire::Address source_address;  // that the host would send from on this route; unspecified if it has none
};

// The longest prefix of an address, a byte of the address a step: one load for what the shortest prefixes decide, four
// at most for IPv4. Values are small numbers; 0 is that of an address without any prefix.
class PrefixTree {
 public:
  PrefixTree() : nodes_(1) {}

  // Shorter prefixes first.
  void insert(const wire::Address& prefix, unsigned length, uint32_t value);
  uint32_t find(wire::Ipv4Address address) const {
    uint32_t entry = nodes_[0][address.raw & 0xff];  // the first byte of the wire: bytes.h reads little-endian words
    for (uint32_t rest = address.raw >> 8; (entry & is_node) != 0; rest >>= 8) {
      entry = nodes_[entry & ~is_node][rest & 0xff];
    }
    return entry;
  }
  uint32_t find(const wire::Address& address) const {
    return address.family == wire::Family::ipv4 ? find(address.v4()) : find(address.v6());
  }
  uint32_t find(const wire::Ipv6Address& address) const {
    const auto* at = reinterpret_cast<const uint8_t*>(address.raw.data());
    uint32_t entry = nodes_[0][*at];
    while ((entry & is_node) != 0) entry = nodes_[entry & ~is_node][*++at];
    return entry;
  }

 private:
  static constexpr uint32_t is_node = uint32_t{1} << 31;
  using Node = std::array<uint32_t, 256>;  // values, or numbers of nodes with `is_node`
  std::vector<Node> nodes_;
};

// Immutable once built; replaced as a whole when routes or neighbours change.
class RouteTable {
 public:
  RouteTable() : hops_(1) {}
  // `local`: addresses of this host that no port has.
  RouteTable(std::vector<Port> ports, std::vector<Route> routes, std::vector<Neighbour> neighbours,
             const std::vector<wire::Address>& local = {});

  const std::vector<Port>& ports() const { return ports_; }
  // Longest prefix first; connected routes of the ports' addresses included.
  NextHop next_hop(const wire::Address& destination) const;
  // The same without a copy, for every packet. `next` is unspecified where it is the destination itself. Of several
  // ways each destination has its own, by a hash of its address: the packets of a flow stay in order, those of many
  // divide by the weights.
  template <class A>
  const NextHop& way_to(const A& destination) const {
    constexpr size_t table = A::family == wire::Family::ipv4 ? 0 : 1;
    const uint32_t index = trees_[table].find(destination);
    if (hops_[index].more != 0) [[unlikely]]
      return hops_[index + choice(destination, hops_[index].more + 1u)];
    return hops_[index];
  }
  bool is_local(const wire::Address& address) const { return hop_to(address).state == HopState::local; }
  // The broadcast address of one of the ports' networks, or 255.255.255.255.
  bool is_broadcast(wire::Ipv4Address address) const;
  // The address that answers come from on this port: the first of the family, or unspecified.
  wire::Address port_address(PortId port, wire::Family family) const;
  uint32_t generation() const { return generation_; }
  // Whether the frame is addressed to the port on which it came.
  bool is_for(PortId port, const uint8_t* frame) const {
    uint64_t start;  // the address and two bytes of the next
    std::memcpy(&start, frame, sizeof start);
    return start << 16 == mac_words_[port];
  }

 private:
  // Link-local addresses are unique on their link only.
  struct OnPort {
    wire::Address address;
    PortId port;
    bool operator==(const OnPort&) const = default;
  };
  struct OnPortHash {
    size_t operator()(const OnPort& key) const { return AddressHash()(key.address) + key.port; }
  };
  using MacAddresses = std::unordered_map<OnPort, wire::MacAddress, OnPortHash>;
  void add(const Route& route, const MacAddresses& neighbours);
  NextHop hop_of(const Route& route, const RouteHop& way, const MacAddresses& neighbours) const;
  void add_host(const wire::Address& address, PortId port, const wire::MacAddress& mac);
  void add(const wire::Address& to, unsigned prefix_length, const std::vector<NextHop>& ways);
  const NextHop& hop_to(const wire::Address& address) const {
    return address.family == wire::Family::ipv4 ? way_to(address.v4()) : way_to(address.v6());
  }
  static uint32_t choice(const wire::Address& destination, uint32_t ways);

  std::vector<Port> ports_;
  std::vector<uint64_t> mac_words_;  // the ports' addresses, in the upper six bytes
  std::array<PrefixTree, 2> trees_;  // IPv4, IPv6: prefix → index in hops_
  std::vector<NextHop> hops_;        // the first: no route
  std::unordered_set<uint32_t> broadcasts_;
  uint32_t generation_ = 0;
};

// The address with all bits past the prefix cleared.
wire::Address masked(wire::Address address, unsigned prefix_length);

}  // namespace sluice::director
