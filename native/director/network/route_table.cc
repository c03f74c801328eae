// SPDX-License-Identifier: Apache-2.0
#include "director/network/route_table.h"

#include <algorithm>
#include <atomic>
#include <numeric>

namespace sluice::director {

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

// A hop stands in the table as often as its weight says. Linux allows weights up to 256; NextHop::more counts to 255.
constexpr uint64_t most_ways = 256;

// Weights in their lowest terms. If the sum is still too large, approximate ones.
std::vector<RouteHop> with_small_weights(std::vector<RouteHop> hops) {
  if (hops.size() > most_ways) hops.resize(most_ways);
  uint64_t divisor = 0, total = 0;
  for (const RouteHop& hop : hops) divisor = std::gcd(divisor, hop.weight);
  for (RouteHop& hop : hops) {
    hop.weight = divisor == 0 ? 1 : static_cast<uint32_t>(hop.weight / divisor);
    total += hop.weight;
  }
  if (total <= most_ways) return hops;
  // One for each hop, plus a share of the rest, rounded down.
  const uint64_t rest = most_ways - hops.size();
  for (RouteHop& hop : hops) hop.weight = static_cast<uint32_t>(1 + hop.weight * rest / total);
  return hops;
}

}  // namespace

size_t AddressHash::operator()(const wire::Address& address) const {
  uint64_t words[2];
  std::memcpy(words, address.bytes.data(), sizeof words);
  // A multiply-xor mix (Fibonacci constant) is enough: these tables hold configuration, not addresses that strangers
  // choose.
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

RouteTable::RouteTable(std::vector<Port> ports, std::vector<Route> routes, std::vector<Neighbour> neighbours,
                       const std::vector<wire::Address>& local)
    : ports_(std::move(ports)), hops_(1) {
  static std::atomic<uint32_t> generations{0};
  while (generation_ == 0) generation_ = ++generations;
  std::vector<wire::Address> here = local;
  // The loopback addresses of every host.
  wire::Address loopback4, loopback6;
  loopback4.family = wire::Family::ipv4;
  loopback4.bytes[0] = 127;
  loopback6.family = wire::Family::ipv6;
  loopback6.bytes[15] = 1;
  routes.push_back({.to = loopback4, .prefix_length = 8, .via = {}, .kind = RouteKind::local});
  here.push_back(loopback6);
  for (PortId id = 0; id < ports_.size(); id++) {
    uint64_t& mac = mac_words_.emplace_back(0);
    std::memcpy(reinterpret_cast<uint8_t*>(&mac) + 2, ports_[id].mac.bytes.data(), wire::MacAddress::size);
    for (const InterfaceAddress& interface : ports_[id].addresses) {
      here.push_back(interface.address);
      routes.push_back({interface.address, interface.prefix_length, {}, id});
      // RFC 3021: a /31 has no broadcast address; a /32 has no network.
      if (interface.address.family == wire::Family::ipv4 && interface.prefix_length < 31) {
        broadcasts_.insert(broadcast_of(interface).raw);
      }
    }
  }
  MacAddresses macs;
  for (const Neighbour& neighbour : neighbours) macs[{neighbour.address, neighbour.port}] = neighbour.mac;

  // The tree needs shorter prefixes first. Of equal routes the first one wins, because it is inserted last.
  std::reverse(routes.begin(), routes.end());
  std::stable_sort(routes.begin(), routes.end(),
                   [](const Route& a, const Route& b) { return a.prefix_length < b.prefix_length; });
  for (const Route& route : routes) add(route, macs);
  for (const auto& [key, mac] : macs) add_host(key.address, key.port, mac);
  NextHop own;
  own.state = HopState::local;
  for (const wire::Address& address : here) add(address, host_prefix(address.family), {own});
}

void RouteTable::add(const Route& route, const MacAddresses& neighbours) {
  std::vector<NextHop> ways;
  if (route.kind == RouteKind::unicast) {
    std::vector<RouteHop> hops = {{route.via, route.port, route.weight}};
    hops.insert(hops.end(), route.more.begin(), route.more.end());
    for (const RouteHop& hop : with_small_weights(std::move(hops))) {
      ways.insert(ways.end(), hop.weight, hop_of(route, hop, neighbours));
    }
  } else {
    ways.emplace_back().state = route.kind == RouteKind::local ? HopState::local : HopState::no_route;
  }
  add(masked(route.to, route.prefix_length), route.prefix_length, ways);
}

NextHop RouteTable::hop_of(const Route& route, const RouteHop& way, const MacAddresses& neighbours) const {
  NextHop hop;
  hop.port = way.port;
  hop.mtu = ports_[way.port].mtu;
  if (route.mtu != 0) hop.mtu = std::min(hop.mtu, route.mtu);
  hop.source = ports_[way.port].mac;
  hop.source_address = route.source.is_unspecified() ? port_address(way.port, route.to.family) : route.source;
  hop.next = way.via;
  const auto neighbour = way.via.is_unspecified() ? neighbours.end() : neighbours.find({way.via, way.port});
  hop.state = neighbour == neighbours.end() ? HopState::no_neighbour : HopState::reachable;
  if (neighbour != neighbours.end()) hop.destination = neighbour->second;
  return hop;
}

// A neighbour's address has a direct route only on the neighbour's own link.
void RouteTable::add_host(const wire::Address& address, PortId port, const wire::MacAddress& mac) {
  NextHop hop = hop_to(address);
  if (hop.state != HopState::no_neighbour || !hop.next.is_unspecified() || hop.port != port) return;
  hop.state = HopState::reachable;
  hop.destination = mac;
  hop.next = address;
  add(address, host_prefix(address.family), {hop});
}

void RouteTable::add(const wire::Address& to, unsigned prefix_length, const std::vector<NextHop>& ways) {
  trees_[table_of(to.family)].insert(to, prefix_length, static_cast<uint32_t>(hops_.size()));
  for (size_t i = 0; i < ways.size(); i++) {
    NextHop& hop = hops_.emplace_back(ways[i]);
    hop.more = static_cast<uint8_t>(i == 0 ? ways.size() - 1 : 0);
    if (hop.state != HopState::reachable || ports_[hop.port].vlan != 0) continue;
    hop.plain_mtu = static_cast<uint16_t>(std::min<uint32_t>(hop.mtu, UINT16_MAX));
  }
}

uint32_t RouteTable::choice(const wire::Address& destination, uint32_t ways) {
  const auto hash = static_cast<uint32_t>(AddressHash()(destination));
  return static_cast<uint32_t>(uint64_t{hash} * ways >> 32);
}

NextHop RouteTable::next_hop(const wire::Address& destination) const {
  NextHop hop = hop_to(destination);
  hop.more = 0;
  if (hop.state == HopState::no_neighbour && hop.next.is_unspecified()) hop.next = destination;
  return hop;
}

bool RouteTable::is_broadcast(wire::Ipv4Address address) const {
  return address.raw == UINT32_MAX || broadcasts_.contains(address.raw);
}

wire::Address RouteTable::port_address(PortId port, wire::Family family) const {
  for (const InterfaceAddress& interface : ports_[port].addresses) {
    if (interface.address.family == family) return interface.address;
  }
  wire::Address none;
  none.family = family;
  return none;
}

}  // namespace sluice::director
