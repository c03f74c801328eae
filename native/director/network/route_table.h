// SPDX-License-Identifier: Apache-2.0
// The route table: ports, routes and neighbours of the director, and the next hop for each address.
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
  uint16_t vlan = 0;  // tag of transmitted frames; 0: none
  std::vector<InterfaceAddress> addresses;
  bool cuts_tunnelled = false;  // accepts whole TCP frames in tunnels and cuts their segments later
};

// One of several next hops of a route.
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
  std::vector<RouteHop> more = {};  // further next hops beside this one, whose weight among them is `weight`
  uint32_t weight = 1;
  RouteKind kind = RouteKind::unicast;
  uint32_t mtu = 0;           // 0: the port's
  wire::Address source = {};  // source address for packets of the host; unspecified: the port's first address
};

struct Neighbour {
  wire::Address address;
  wire::MacAddress mac;
  PortId port = 0;
};

enum class HopState : uint8_t { reachable, no_route, no_neighbour, local };

// Everything that a frame's link-layer header needs, ready to be copied. The express lane reads the first fields.
struct alignas(16) NextHop {
  uint16_t plain_mtu = 0;  // `mtu` if packets leave at once in frames without a tag; otherwise 0
  PortId port = 0;
  wire::MacAddress destination;
  wire::MacAddress source;
  HopState state = HopState::no_route;
  uint8_t more = 0;  // number of further hops for the same prefix after this one; each destination uses one hop
  uint32_t mtu = 0;
  wire::Address next;  // the address whose link-layer address is `destination`: a router, or the packet's destination
  wire::Address source_address;  // from which the host would send on this route; unspecified if there is none
};

// Finds the longest prefix of an address, one byte of the address per step: one load if a short prefix decides, at most
// four for IPv4. Values are small numbers; 0 means that no prefix matches.
class PrefixTree {
 public:
  PrefixTree() : nodes_(1) {}

  // Shorter prefixes must be inserted first.
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
  using Node = std::array<uint32_t, 256>;  // values, or numbers of nodes with the bit `is_node`
  std::vector<Node> nodes_;
};

// Immutable. A new table replaces it when routes or neighbours change.
class RouteTable {
 public:
  RouteTable() : hops_(1) {}
  // `local`: addresses of this host that no port has.
  RouteTable(std::vector<Port> ports, std::vector<Route> routes, std::vector<Neighbour> neighbours,
             const std::vector<wire::Address>& local = {});

  const std::vector<Port>& ports() const { return ports_; }
  // The longest prefix wins. Connected routes of the ports' addresses are included.
  NextHop next_hop(const wire::Address& destination) const;
  // As next_hop(), without a copy, for every packet. `next` is unspecified if it is the destination itself. If there
  // are several hops, a hash of the destination's address chooses one: the packets of a flow stay in order, and many
  // flows divide by the weights.
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
  // The source address of answers on this port: the first one of the family, or unspecified.
  wire::Address port_address(PortId port, wire::Family family) const;
  uint32_t generation() const { return generation_; }
  // Whether the frame is addressed to the port on which it came.
  bool is_for(PortId port, const uint8_t* frame) const {
    uint64_t start;  // the address, and two bytes of the next one
    std::memcpy(&start, frame, sizeof start);
    return start << 16 == mac_words_[port];
  }

 private:
  // Link-local addresses are unique only on their link.
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
  std::vector<NextHop> hops_;        // the first one means: no route
  std::unordered_set<uint32_t> broadcasts_;
  uint32_t generation_ = 0;
};

// The address with all bits past the prefix cleared.
wire::Address masked(wire::Address address, unsigned prefix_length);

}  // namespace sluice::director
