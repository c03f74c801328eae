// SPDX-License-Identifier: Apache-2.0
#include "lvs/surroundings.h"

#include <algorithm>
#include <atomic>

namespace sluice::lvs {

namespace {

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

Surroundings::Surroundings(std::vector<Port> ports, std::vector<Route> routes, std::vector<Neighbour> neighbours)
    : ports_(std::move(ports)), routes_(std::move(routes)) {
  static std::atomic<uint64_t> generations{0};
  generation_ = ++generations;
  for (PortId id = 0; id < ports_.size(); id++) {
    for (const InterfaceAddress& interface : ports_[id].addresses) {
      local_.insert(interface.address);
      routes_.push_back({masked(interface.address, interface.prefix_length), interface.prefix_length, {}, id});
      routes_.back().via.family = interface.address.family;
      // RFC 3021: a /31 has no broadcast address; a /32 has no network.
      if (interface.address.family == wire::Family::ipv4 && interface.prefix_length < 31) {
        broadcasts_.insert(broadcast_of(interface).raw);
      }
    }
  }
  for (uint32_t i = 0; i < routes_.size(); i++) add_route(i);
  for (auto& table : by_prefix_) {
    std::sort(table.begin(), table.end(),
              [](const PrefixRoutes& a, const PrefixRoutes& b) { return a.prefix_length > b.prefix_length; });
  }
  for (const Neighbour& neighbour : neighbours) neighbours_[neighbour.address] = neighbour;
}

void Surroundings::add_route(uint32_t index) {
  const Route& route = routes_[index];
  auto& table = by_prefix_[table_of(route.to.family)];
  auto prefix = std::find_if(table.begin(), table.end(),
                             [&](const PrefixRoutes& p) { return p.prefix_length == route.prefix_length; });
  if (prefix == table.end()) prefix = table.insert(table.end(), {route.prefix_length, {}});
  prefix->routes.try_emplace(masked(route.to, route.prefix_length), index);  // the first of equals wins
}

const Route* Surroundings::route_to(const wire::Address& destination) const {
  for (const PrefixRoutes& prefix : by_prefix_[table_of(destination.family)]) {
    const auto found = prefix.routes.find(masked(destination, prefix.prefix_length));
    if (found != prefix.routes.end()) return &routes_[found->second];
  }
  return nullptr;
}

NextHop Surroundings::next_hop(const wire::Address& destination) const {
  NextHop hop;
  if (is_local(destination)) {
    hop.state = HopState::local;
    return hop;
  }
  const Route* route = route_to(destination);
  if (route == nullptr) return hop;
  hop.port = route->port;
  hop.mtu = ports_[route->port].mtu;
  hop.source = ports_[route->port].mac;
  hop.source_address = port_address(route->port, destination.family);
  hop.next = route->via.is_unspecified() ? destination : route->via;
  const auto neighbour = neighbours_.find(hop.next);
  if (neighbour == neighbours_.end()) {
    hop.state = HopState::no_neighbour;
    return hop;
  }
  hop.state = HopState::reachable;
  hop.destination = neighbour->second.mac;
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
