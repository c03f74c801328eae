// SPDX-License-Identifier: Apache-2.0
#include "engine/ownership.h"

#include <bit>

namespace sluice::engine {

namespace {

// Bits of a mask that a persistent service compares clients by.
uint8_t prefix_of(const wire::Address& netmask) {
  int bits = 0;
  for (const uint8_t byte : netmask.bytes) bits += std::popcount(byte);
  return static_cast<uint8_t>(bits);
}

// A persistent service sends a client's connections to one server, a limit of sources counts them: they must meet one
// worker.
void steer_for(const director::Service& service, host::OwnedTraffic::Steering& steering) {
  const director::SourceLimitSettings& limit = service.settings.source_limit;
  uint8_t& prefix = service.key.address.family == wire::Family::ipv4 ? steering.ipv4_prefix : steering.ipv6_prefix;
  if (service.is_persistent()) prefix = std::min(prefix, prefix_of(service.settings.persistence_mask));
  if (limit.rate != 0) prefix = std::min(prefix, limit.prefix);
  if (service.is_persistent() || limit.rate != 0) steering.by_port = false;
}

std::optional<host::Network> network_of(const std::optional<director::MarkRule::Network>& network) {
  if (!network) return std::nullopt;
  return host::Network{network->address, network->prefix_length};
}

bool has_service(const director::Director& director, uint32_t mark, wire::Family family) {
  director::ServiceKey key;
  key.mark = mark;
  key.address.family = family;
  return director.services().find(key) != nullptr;
}

// Rules behind the last that leads to a service do not matter, and there is none on an interface that is not there.
std::vector<host::OwnedTraffic::Mark> marks_of(const director::Director& director,
                                               std::span<const uint32_t> interfaces) {
  std::vector<host::OwnedTraffic::Mark> marks;
  size_t wanted = 0;
  for (const director::MarkRule& rule : director.marks().rules()) {
    const bool is_of_port = rule.port != director::no_port_id;
    if (is_of_port && (rule.port >= interfaces.size() || interfaces[rule.port] == 0)) continue;
    host::OwnedTraffic::Mark& mark = marks.emplace_back();
    if (is_of_port) mark.interface = interfaces[rule.port];
    mark.source = network_of(rule.source);
    mark.destination = network_of(rule.destination);
    mark.protocol = rule.protocol;
    if (rule.ports) mark.ports = {rule.ports->first, rule.ports->last};
    mark.has_ipv4_service = has_service(director, rule.mark, wire::Family::ipv4);
    mark.has_ipv6_service = has_service(director, rule.mark, wire::Family::ipv6);
    if (mark.has_ipv4_service || mark.has_ipv6_service) wanted = marks.size();
  }
  marks.resize(wanted);
  return marks;
}

}  // namespace

host::OwnedTraffic owned_traffic_of(const director::Director& director, uint16_t workers,
                                    std::span<const uint32_t> interfaces) {
  host::OwnedTraffic owned_traffic;
  owned_traffic.steering.workers = workers;
  director.services().for_each_service([&](const director::Service& service) {
    steer_for(service, owned_traffic.steering);
    const director::ServiceKey& key = service.key;
    if (key.mark == 0) owned_traffic.services.push_back({key.address, key.port, key.protocol});
  });
  director.services().for_each_destination([&](const director::Destination& destination) {
    if (destination.forwarding == director::Forwarding::nat) {
      const director::ServiceKey& home = destination.home;
      owned_traffic.nat_servers.push_back({destination.address, destination.port, home.protocol, home.mark != 0});
    } else if (destination.forwarding == director::Forwarding::tunnel) {
      owned_traffic.tunnel_servers.push_back(destination.address);
    }
  });
  director.pools().for_each_range([&](const wire::Address& address, uint16_t first, uint16_t last) {
    owned_traffic.pools.push_back({address, first, last});
  });
  // Of a virtual or local address that the host has by a route alone (ip route add local), no list of addresses tells.
  const auto note_local = [&](const wire::Address& address) {
    if (director.route_table().is_local(address)) owned_traffic.host_addresses.push_back(address);
  };
  for (const auto& service : owned_traffic.services) note_local(service.address);
  for (const auto& pool : owned_traffic.pools) note_local(pool.address);
  owned_traffic.marks = marks_of(director, interfaces);
  for (const director::EgressRule& rule : director.egress()) {
    owned_traffic.egress_sources.push_back({rule.network, rule.prefix_length});
  }
  return owned_traffic;
}

}  // namespace sluice::engine
