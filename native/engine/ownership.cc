// SPDX-License-Identifier: Apache-2.0
#include "engine/ownership.h"

#include <algorithm>
#include <bit>
#include <set>
#include <tuple>

namespace sluice::engine {

namespace {

// Flows that one visit of a worker reads: some tens of microseconds.
constexpr uint32_t flows_a_visit = 4096;

// The number of bits in the mask by which a persistent service compares clients.
uint8_t prefix_of(const wire::Address& netmask) {
  int bits = 0;
  for (const uint8_t byte : netmask.bytes) bits += std::popcount(byte);
  return static_cast<uint8_t>(bits);
}

// A persistent service sends all connections of a client to one server, and a source limit counts them: one worker must
// have them all.
host::OwnedTraffic::Steering steering_of(const Configuration::Service& service) {
  host::OwnedTraffic::Steering steering;
  const director::SourceLimitSettings& limit = service.settings.source_limit;
  uint8_t& prefix = service.key.address.family == wire::Family::ipv4 ? steering.ipv4_prefix : steering.ipv6_prefix;
  if (service.is_persistent()) prefix = std::min(prefix, prefix_of(service.settings.persistence_mask));
  if (limit.rate != 0) prefix = std::min(prefix, limit.prefix);
  if (service.is_persistent() || limit.rate != 0) steering.by_port = false;
  return steering;
}

std::shared_ptr<const host::OwnedTraffic::Part> part_of(const Configuration::Entry& entry) {
  const director::ServiceKey& key = entry.service.key;
  host::OwnedTraffic::Part part = {.address = key.address,
                                   .port = key.port,
                                   .protocol = key.protocol,
                                   .is_marked = key.mark != 0,
                                   .is_removed = entry.is_removed,
                                   .steering = steering_of(entry.service),
                                   .nat_servers = {},
                                   .tunnel_servers = {}};
  const auto add = [&](const auto& server) {
    if (server.forwarding == director::Forwarding::nat) part.nat_servers.push_back({server.address, server.port});
    if (server.forwarding == director::Forwarding::tunnel) part.tunnel_servers.push_back(server.address);
  };
  std::ranges::for_each(entry.servers, add);
  std::ranges::for_each(entry.removed, add);
  return std::make_shared<const host::OwnedTraffic::Part>(std::move(part));
}

void look_for_local(const Configuration::Entry& entry, const NumberedRoutes& routes) {
  if (entry.derived.routes == routes.number) return;
  entry.derived.routes = routes.number;
  const director::ServiceKey& key = entry.service.key;
  entry.derived.has_local_address = !entry.is_removed && key.mark == 0 && routes.table.is_local(key.address);
  Configuration::LocalServers& local = entry.derived.local_servers = {};
  const auto look = [&](const auto& server) {
    if (!routes.table.is_local(server.address)) return;
    local.any = true;
    if (director::is_loopback(server.address)) return;
    local.fullnat |= server.forwarding == director::Forwarding::fullnat;
    local.translated |= local.fullnat || server.forwarding == director::Forwarding::nat;
  };
  if (entry.is_removed) return;
  std::ranges::for_each(entry.servers, look);
  std::ranges::for_each(entry.removed, look);
}

std::optional<host::Network> network_of(const std::optional<director::MarkRule::Network>& network) {
  if (!network) return std::nullopt;
  return host::Network{network->address, network->prefix_length};
}

bool has_service(Configurations configurations, uint32_t mark, wire::Family family) {
  director::ServiceKey key;
  key.mark = mark;
  key.address.family = family;
  return std::ranges::any_of(configurations, [&](const Configuration* one) { return one->has_service(key); });
}

uint32_t longest_silence(const director::Timeouts& timeouts) {
  uint32_t longest = timeouts.udp[0];
  for (const uint32_t timeout : timeouts.tcp) longest = std::max(longest, timeout);
  for (const uint32_t timeout : timeouts.sctp) longest = std::max(longest, timeout);
  return longest;
}

// Rules after the last one that leads to a service do not matter. A rule for an interface that does not exist matches
// nothing.
std::vector<host::OwnedTraffic::Mark> marks_of(Configurations configurations, std::span<const uint32_t> interfaces) {
  std::vector<host::OwnedTraffic::Mark> marks;
  size_t wanted = 0;
  for (const director::MarkRule& rule : configurations.back()->marks()) {
    const bool is_of_port = rule.port != director::no_port_id;
    if (is_of_port && (rule.port >= interfaces.size() || interfaces[rule.port] == 0)) continue;
    host::OwnedTraffic::Mark& mark = marks.emplace_back();
    if (is_of_port) mark.interface = interfaces[rule.port];
    mark.source = network_of(rule.source);
    mark.destination = network_of(rule.destination);
    mark.protocol = rule.protocol;
    if (rule.ports) mark.ports = {rule.ports->first, rule.ports->last};
    mark.has_ipv4_service = has_service(configurations, rule.mark, wire::Family::ipv4);
    mark.has_ipv6_service = has_service(configurations, rule.mark, wire::Family::ipv6);
    if (mark.has_ipv4_service || mark.has_ipv6_service) wanted = marks.size();
  }
  marks.resize(wanted);
  return marks;
}

}  // namespace

host::OwnedTraffic owned_traffic_of(Configurations configurations, uint16_t workers,
                                    std::span<const uint32_t> interfaces) {
  host::OwnedTraffic owned_traffic;
  owned_traffic.workers = workers;
  owned_traffic.longest_silence = longest_silence(configurations.back()->timeouts());
  owned_traffic.marks = marks_of(configurations, interfaces);
  for (const Configuration* const configuration : configurations) {
    configuration->for_each_entry([&](const Configuration::Entry& entry) {
      if (entry.derived.part == nullptr) entry.derived.part = part_of(entry);
      owned_traffic.parts.push_back(entry.derived.part);
    });
    configuration->for_each_range([&](const Configuration::PoolRange& range) {
      owned_traffic.pools.push_back({range.address, range.first_port, range.last_port});
    });
    for (const director::EgressRule& rule : configuration->egress()) {
      owned_traffic.egress_sources.push_back({rule.network, rule.prefix_length});
    }
  }
  return owned_traffic;
}

std::vector<wire::Address> addresses_by_route(Configurations configurations, const NumberedRoutes& routes) {
  std::vector<wire::Address> addresses;
  for (const Configuration* const configuration : configurations) {
    configuration->for_each_entry([&](const Configuration::Entry& entry) {
      look_for_local(entry, routes);
      if (entry.derived.has_local_address) addresses.push_back(entry.service.key.address);
    });
    configuration->for_each_range([&](const Configuration::PoolRange& range) {
      if (routes.table.is_local(range.address)) addresses.push_back(range.address);
    });
  }
  const auto before = [](const wire::Address& a, const wire::Address& b) {
    return std::tie(a.family, a.bytes) < std::tie(b.family, b.bytes);
  };
  std::sort(addresses.begin(), addresses.end(), before);
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  return addresses;
}

LocalNodes local_nodes_of(Configurations configurations, const NumberedRoutes& routes) {
  LocalNodes nodes;
  for (const Configuration* const configuration : configurations) {
    std::set<uint32_t> pools;
    configuration->for_each_entry([&](const Configuration::Entry& entry) {
      look_for_local(entry, routes);
      const Configuration::LocalServers& local = entry.derived.local_servers;
      nodes.any |= local.any;
      nodes.translated |= local.translated;
      if (local.fullnat) pools.insert(entry.service.settings.pool);
    });
    for (const uint32_t pool : pools) {
      const director::PoolSettings* const settings = configuration->find_pool(pool);
      if (settings == nullptr) continue;
      std::ranges::copy_if(settings->addresses, std::back_inserter(nodes.local_addresses),
                           [&](const wire::Address& address) { return !routes.table.is_local(address); });
    }
  }
  return nodes;
}

namespace {

template <class A>
uint32_t visit_some(director::Director& director, uint16_t worker, uint32_t cursor, std::vector<host::PlacedFlow>& to) {
  auto& table = director.flows<A>().table();
  return table.walk(cursor, flows_a_visit, [&](const director::Flow<A>& flow) {
    if (flow.is_template() || flow.destination == director::no_destination) return;
    const director::ServiceKey& home = director.services().destination(flow.destination).home;
    to.push_back({.client = flow.client(),
                  .client_port = flow.client_port(),
                  .protocol = flow.protocol,
                  .worker = worker,
                  .is_marked = home.mark != 0,
                  .service = home.address,
                  .service_port = home.port});
  });
}

}  // namespace

bool placed_flows(director::Director& director, uint16_t worker, FlowCursor& cursor,
                  std::vector<host::PlacedFlow>& flows) {
  if (cursor.at4 < director.flows<wire::Ipv4Address>().table().span()) {
    cursor.at4 = visit_some<wire::Ipv4Address>(director, worker, cursor.at4, flows);
    return true;
  }
  if (cursor.at6 < director.flows<wire::Ipv6Address>().table().span()) {
    cursor.at6 = visit_some<wire::Ipv6Address>(director, worker, cursor.at6, flows);
    return true;
  }
  return false;
}

}  // namespace sluice::engine
