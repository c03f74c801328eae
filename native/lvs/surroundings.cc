// SPDX-License-Identifier: Apache-2.0
#include "lvs/surroundings.h"

#include <algorithm>
#include <atomic>

namespace sluice::lvs {

namespace {

constexpr unsigned host_prefix(wire::Family family) {
  return family == wire::Family::ipv4 ? 32 : 128;
}

constexpr size_t table_of(wire::Family family) {
  return family == wire::Family::ipv4 ? 0 : 1;
}

wire::Ipv4Address broadcast_of(const InterfaceAddress& interface) {
  const uint32_t host_bits =
      interface.prefix_length == 0 ? UINT32_MAX : (uint64_t{1} << (32 - interface.prefix_length)) - 1;
  wire::Ipv4Address address = interface.address.v4();
  address.raw |= __builtin_bswap32(host_bits);
  return address;
}

}  // namespace

size_t AddressHash::operator()(const wire::Address& address) const {
  uint64_t words[2];
  std::memcpy(words, address.bytes.data(), sizeof words);
  // A multiply-xor mix (Fibonacci constant): these tables hold configuration, not what strangers send.
  uint64_t hash = (words[0] ^ (words[1] * 0x9e3779b97f4a7c15ULL)) * 0x9e3779b97f4a7c15ULL;
  return static_cast<size_t>(hash ^ (hash >> 32) ^ static_cast<uint64_t>(address.family));
}

wire::Address masked(wire::Address address, unsigned prefix_length) {
  for (size_t i = 0; i < address.bytes.size(); i++) {
    const unsigned before = static_cast<unsigned>(i * 8);
    if (prefix_length >= before + 8) continue;
    const unsigned kept = prefix_length > before ? prefix_length - before : 0;
    address.bytes[i] &= static_cast<uint8_t>(0xff00u >> kept);
  }
  return address;
}

void PrefixTree::insert(const wire::Address& prefix, unsigned length, uint32_t value) {
  const uint8_t* at = prefix.bytes.data();
  size_t node = 0;
  for (; length > 8; length -= 8, at++) {
    uint32_t entry = nodes_[node][*at];
    if ((entry & is_node) == 0) {
      nodes_.emplace_back().fill(entry);
      entry = static_cast<uint32_t>(nodes_.size() - 1) | is_node;
      nodes_[node][*at] = entry;
    }
    node = entry & ~is_node;
  }
  std::fill_n(nodes_[node].begin() + *at, size_t{1} << (8 - length), value);
}

Surroundings::Surroundings(std::vector<Port> ports, std::vector<Route> routes, std::vector<Neighbour> neighbours)
    : ports_(std::move(ports)), hops_(1) {
  static std::atomic<uint64_t> generations{0};
  generation_ = ++generations;
  for (PortId id = 0; id < ports_.size(); id++) {
    uint64_t& mac = mac_words_.emplace_back(0);
    std::memcpy(reinterpret_cast<uint8_t*>(&mac) + 2, ports_[id].mac.bytes.data(), wire::MacAddress::size);
    for (const InterfaceAddress& interface : ports_[id].addresses) {
      local_.insert(interface.address);
      routes.push_back({interface.address, interface.prefix_length, {}, id});
      // RFC 3021: a /31 has no broadcast address; a /32 has no network.
      if (interface.address.family == wire::Family::ipv4 && interface.prefix_length < 31) {
        broadcasts_.insert(broadcast_of(interface).raw);
      }
    }
  }
  MacAddresses macs;
  for (const Neighbour& neighbour : neighbours) macs[neighbour.address] = neighbour.mac;

  // The tree wants the shorter prefixes first. Of equal routes the first wins: it is inserted last.
  std::reverse(routes.begin(), routes.end());
  std::stable_sort(routes.begin(), routes.end(),
                   [](const Route& a, const Route& b) { return a.prefix_length < b.prefix_length; });
  for (const Route& route : routes) add(route, macs);
  for (const auto& [address, mac] : macs) add_host(address, mac);
  NextHop here;
  here.state = HopState::local;
  for (const wire::Address& address : local_) add(address, host_prefix(address.family), here);
}

void Surroundings::add(const Route& route, const MacAddresses& neighbours) {
  NextHop hop;
  hop.port = route.port;
  hop.mtu = ports_[route.port].mtu;
  hop.source = ports_[route.port].mac;
  hop.source_address = port_address(route.port, route.to.family);
  hop.next = route.via;
  const auto neighbour = route.via.is_unspecified() ? neighbours.end() : neighbours.find(route.via);
  hop.state = neighbour == neighbours.end() ? HopState::no_neighbour : HopState::reachable;
  if (neighbour != neighbours.end()) hop.destination = neighbour->second;
  add(masked(route.to, route.prefix_length), route.prefix_length, hop);
}

// A neighbour is reached directly only if its address is on a link.
void Surroundings::add_host(const wire::Address& address, const wire::MacAddress& mac) {
  NextHop hop = hops_[trees_[table_of(address.family)].find(address)];
  if (hop.state != HopState::no_neighbour || !hop.next.is_unspecified()) return;
  hop.state = HopState::reachable;
  hop.destination = mac;
  hop.next = address;
  add(address, host_prefix(address.family), hop);
}

void Surroundings::add(const wire::Address& to, unsigned prefix_length, const NextHop& hop) {
  trees_[table_of(to.family)].insert(to, prefix_length, static_cast<uint32_t>(hops_.size()));
  hops_.push_back(hop);
  if (hop.state != HopState::reachable || ports_[hop.port].vlan != 0) return;
  hops_.back().plain_mtu = static_cast<uint16_t>(std::min<uint32_t>(hop.mtu, UINT16_MAX));
}

NextHop Surroundings::next_hop(const wire::Address& destination) const {
  NextHop hop = hops_[trees_[table_of(destination.family)].find(destination)];
  if (hop.state == HopState::no_neighbour && hop.next.is_unspecified()) hop.next = destination;
  return hop;
}

bool Surroundings::is_broadcast(wire::Ipv4Address address) const {
  return address.raw == UINT32_MAX || broadcasts_.contains(address.raw);
}

wire::Address Surroundings::port_address(PortId port, wire::Family family) const {
  for (const InterfaceAddress& interface : ports_[port].addresses) {
    if (interface.address.family == family) return interface.address;
  }
  wire::Address none;
  none.family = family;
  return none;
}

}  // namespace sluice::lvs
