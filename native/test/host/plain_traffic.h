// SPDX-License-Identifier: Apache-2.0
// What belongs to a director, as flat lists that are easy to write down in a test.
#pragma once

#include <map>

#include "host/owned_traffic.h"

namespace sluice::test {

struct PlainTraffic {
  using Steering = host::OwnedTraffic::Steering;
  using Mark = host::OwnedTraffic::Mark;
  struct Service {
    wire::Address address;
    uint16_t port = 0;
    uint8_t protocol = 0;
    Steering steering = {};
  };
  static constexpr uint32_t no_service = UINT32_MAX;
  struct NatServer {
    wire::Address address;
    uint16_t port = 0;
    uint8_t protocol = 0;
    bool marked = false;            // of a service by firewall mark
    uint32_t service = no_service;  // of which service, by its place in `services`; of none: it was removed
  };
  std::vector<Service> services;
  std::vector<NatServer> nat_servers;
  std::vector<Mark> marks;
  std::vector<host::OwnedTraffic::Pool> pools;
  std::vector<wire::Address> tunnel_servers;
  std::vector<host::Network> egress_sources, inside;
  std::vector<wire::Address> host_addresses;
  uint16_t workers = 1;
  Steering ipv4_marks, ipv6_marks;
  uint32_t longest_silence = 900;

  // Every time with new parts, so that everything is counted again.
  operator host::OwnedTraffic() const {
    using Part = host::OwnedTraffic::Part;
    std::vector<Part> parts;
    for (const Service& one : services) {
      Part& part = parts.emplace_back();
      part.address = one.address;
      part.port = one.port;
      part.protocol = one.protocol;
      part.steering = one.steering;
    }
    for (const NatServer& server : nat_servers) {
      const bool has_service = !server.marked && server.service != no_service;
      Part& part = has_service ? parts[server.service] : parts.emplace_back();
      part.nat_servers.push_back({server.address, server.port});
      if (has_service) continue;
      part.address.family = server.address.family;
      part.protocol = server.protocol;
      part.is_marked = server.marked;
      part.is_removed = !server.marked;
    }
    for (const auto& [family, steering] :
         {std::pair{wire::Family::ipv4, ipv4_marks}, {wire::Family::ipv6, ipv6_marks}}) {
      Part& part = parts.emplace_back();
      part.address.family = family;
      part.is_marked = true;
      part.steering = steering;
    }
    Part& tunnels = parts.emplace_back();
    tunnels.is_removed = true;
    tunnels.tunnel_servers = tunnel_servers;
    host::OwnedTraffic all;
    for (Part& part : parts) all.parts.push_back(std::make_shared<const Part>(std::move(part)));
    all.marks = marks;
    all.pools = pools;
    all.egress_sources = egress_sources;
    all.inside = inside;
    all.host_addresses = host_addresses;
    all.workers = workers;
    all.longest_silence = longest_silence;
    return all;
  }
};

}  // namespace sluice::test
