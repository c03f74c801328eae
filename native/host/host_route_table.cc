// SPDX-License-Identifier: Apache-2.0
// Makes the director's route table from the kernel's tables. Of several routes to one prefix it takes the one that the
// kernel would take, among those that lead through a port.
#include <algorithm>
#include <map>
#include <utility>

#include "host/host_network.h"

namespace sluice::host {

namespace {

using PortOfInterface = std::unordered_map<uint32_t, director::PortId>;

struct Prefix {
  wire::Address to;
  uint8_t length;
  bool operator<(const Prefix& other) const {
    return std::pair(length, to.bytes) < std::pair(other.length, other.to.bytes) ||
           (length == other.length && to.bytes == other.to.bytes && to.family < other.to.family);
  }
};

struct Candidate {
  director::Route route;
  bool is_elsewhere = false;  // no next hop is at a port
  uint32_t metric = 0;

  // A route through a port is better than one that the director cannot use, whatever their metrics.
  bool is_better_than(const Candidate& other) const {
    return std::pair(is_elsewhere, metric) < std::pair(other.is_elsewhere, other.metric);
  }
};

bool has_failed(const HostTables& tables, const RouteWay& way) {
  const auto found = tables.neighbours.find({way.interface, way.via});
  return found != tables.neighbours.end() && found->second.state == NeighbourRecord::State::failed;
}

// If there are several gateways: those that answer. If none answers, all of them.
std::vector<RouteWay> usable_ways(const HostTables& tables, const RouteRecord& record, const PortOfInterface& ports) {
  std::vector<RouteWay> ways;
  for (const RouteWay& way : record.ways) {
    if (!way.is_dead && ports.contains(way.interface)) ways.push_back(way);
  }
  const auto fails = [&](const RouteWay& way) { return has_failed(tables, way); };
  if (!std::all_of(ways.begin(), ways.end(), fails)) std::erase_if(ways, fails);
  return ways;
}

Candidate candidate_of(const HostTables& tables, const RouteRecord& record, const PortOfInterface& ports) {
  Candidate candidate;
  candidate.metric = record.metric;
  director::Route& route = candidate.route;
  route.to = record.to;
  route.prefix_length = record.prefix_length;
  route.mtu = record.mtu;
  route.source = record.source;
  const std::vector<RouteWay> ways = usable_ways(tables, record, ports);
  if (ways.empty()) {
    route.kind = director::RouteKind::unreachable;
    candidate.is_elsewhere = record.kind == RouteRecord::Kind::unicast;
    return candidate;
  }
  route.via = ways[0].via;
  route.port = ports.at(ways[0].interface);
  route.weight = ways[0].weight;
  for (size_t i = 1; i < ways.size(); i++) {
    route.more.push_back({ways[i].via, ports.at(ways[i].interface), ways[i].weight});
  }
  return candidate;
}

std::vector<director::Route> routes_of(const HostTables& tables, const PortOfInterface& ports) {
  std::map<Prefix, Candidate> best;
  std::vector<director::Route> routes;
  for (const RouteRecord& record : tables.routes) {
    if (record.kind == RouteRecord::Kind::local) {
      director::Route& route = routes.emplace_back();
      route.to = record.to;
      route.prefix_length = record.prefix_length;
      route.kind = director::RouteKind::local;
      continue;
    }
    Candidate candidate = candidate_of(tables, record, ports);
    const auto [found, is_new] = best.try_emplace({record.to, record.prefix_length}, candidate);
    if (!is_new && candidate.is_better_than(found->second)) found->second = std::move(candidate);
  }
  for (auto& [prefix, candidate] : best) routes.push_back(std::move(candidate.route));
  return routes;
}

director::Port port_of(const NetworkPort& wanted, const LinkRecord* link) {
  director::Port port;
  port.name = wanted.interface;
  port.vlan = wanted.vlan;
  port.cuts_tunnelled = wanted.cuts_tunnelled;
  if (link == nullptr) return port;
  port.mac = link->mac;
  port.mtu = link->mtu;
  return port;
}

}  // namespace

const LinkRecord* HostTables::link(const std::string& name) const {
  const auto found =
      std::find_if(links.begin(), links.end(), [&](const LinkRecord& link) { return link.name == name; });
  return found == links.end() ? nullptr : &*found;
}

director::RouteTable route_table_of(const HostTables& tables, const std::vector<NetworkPort>& wanted) {
  std::vector<director::Port> ports;
  PortOfInterface by_interface;
  for (const NetworkPort& one : wanted) {
    const LinkRecord* link = tables.link(one.interface);
    if (link != nullptr && link->is_up) by_interface.emplace(link->index, static_cast<director::PortId>(ports.size()));
    ports.push_back(port_of(one, link));
  }
  std::vector<wire::Address> local;
  // The director answers from the first address of a port.
  for (const bool preferred : {true, false}) {
    for (const AddressRecord& record : tables.addresses) {
      if (record.is_preferred != preferred || !record.is_usable) continue;
      const auto port = by_interface.find(record.interface);
      if (port == by_interface.end()) {
        local.push_back(record.address);
      } else {
        ports[port->second].addresses.push_back({record.address, record.prefix_length});
      }
    }
  }
  std::vector<director::Neighbour> neighbours;
  for (const auto& [key, record] : tables.neighbours) {
    const auto port = by_interface.find(key.interface);
    if (port != by_interface.end() && record.has_mac()) neighbours.push_back({key.address, record.mac, port->second});
  }
  return {std::move(ports), routes_of(tables, by_interface), std::move(neighbours), local};
}

}  // namespace sluice::host
