// SPDX-License-Identifier: Apache-2.0
#include "director/network/route_table.h"

#include <doctest/doctest.h>

#include <map>

#include "packet_builder.h"

using namespace sluice;
using director::HopState;
using director::RouteKind;
using test::address;
using test::mac;

namespace {

std::vector<director::Port> two_ports() {
  return {{"a", mac("02:00:00:00:00:0a"), 1500, 0, {{address("10.0.1.1"), 24}, {address("2001:db8:1::1"), 64}}},
          {"b", mac("02:00:00:00:00:0b"), 9000, 0, {{address("10.0.2.1"), 24}}}};
}

director::Route route(const char* to, uint8_t prefix, const char* via, director::PortId port) {
  return {address(to), prefix, address(via), port};
}

// How many of 2,560 destinations in 10.8.0.0/16 use each next hop.
std::map<std::string, int> shares(const director::RouteTable& route_table) {
  std::map<std::string, int> counts;
  for (uint32_t i = 0; i < 2560; i++) {
    const wire::Ipv4Address to{__builtin_bswap32(0x0a080000 + i * 7)};
    counts[to_string(route_table.way_to(to).next)]++;
    CHECK(route_table.next_hop(to).next == route_table.way_to(to).next);
  }
  return counts;
}

}  // namespace

TEST_CASE("destinations divide among several next hops by their weights, and each destination keeps its own") {
  director::Route several = route("10.8.0.0", 16, "10.0.1.254", 0);
  several.weight = 3;
  several.more = {{address("10.0.2.254"), 1, 1}};
  const director::RouteTable route_table(two_ports(), {several},
                                         {{address("10.0.1.254"), mac("02:00:00:00:00:fe"), 0}});
  const auto counts = shares(route_table);
  REQUIRE(counts.size() == 2);
  CHECK(counts.at("10.0.1.254") > 1800);
  CHECK(counts.at("10.0.1.254") < 2040);
  for (uint32_t i = 0; i < 100; i++) {
    const director::NextHop hop = route_table.next_hop(wire::Ipv4Address{__builtin_bswap32(0x0a080000 + i)});
    CHECK(hop.more == 0);
    CHECK(hop.port == (hop.next == address("10.0.1.254") ? 0 : 1));
    CHECK(hop.mtu == (hop.port == 0 ? 1500 : 9000));
    CHECK(hop.state == (hop.port == 0 ? HopState::reachable : HopState::no_neighbour));
  }
}

TEST_CASE("large weights keep their proportion, and every next hop has a share") {
  director::Route several = route("10.8.0.0", 16, "10.0.1.251", 0);
  several.weight = 256;
  several.more = {{address("10.0.1.252"), 0, 255}, {address("10.0.1.253"), 0, 253}, {address("10.0.1.254"), 0, 1}};
  const auto counts = shares(director::RouteTable(two_ports(), {several}, {}));
  REQUIRE(counts.size() == 4);
  for (const char* heavy : {"10.0.1.251", "10.0.1.252", "10.0.1.253"}) {
    CHECK(counts.at(heavy) > 750);
    CHECK(counts.at(heavy) < 960);
  }
  CHECK(counts.at("10.0.1.254") < 40);
}

TEST_CASE("more next hops than the table holds are cut, and each of the others is used") {
  director::Route several = route("10.8.0.0", 16, "10.0.1.2", 0);
  for (uint32_t i = 0; i < 400; i++)
    several.more.push_back({wire::Ipv4Address{__builtin_bswap32(0x0a090000 + i)}, 1, 1});
  const auto counts = shares(director::RouteTable(two_ports(), {several}, {}));
  CHECK(counts.size() == 256);
}

TEST_CASE("neighbours with one link-local address are distinguished by their ports") {
  auto ports = two_ports();
  ports[1].addresses.push_back({address("2001:db8:2::1"), 64});
  const director::RouteTable route_table(
      ports, {route("2001:db8:8::", 48, "fe80::1", 0), route("2001:db8:9::", 48, "fe80::1", 1)},
      {{address("fe80::1"), mac("02:00:00:00:01:01"), 0}, {address("fe80::1"), mac("02:00:00:00:01:02"), 1}});
  CHECK(route_table.next_hop(address("2001:db8:8::5")).destination == mac("02:00:00:00:01:01"));
  CHECK(route_table.next_hop(address("2001:db8:9::5")).destination == mac("02:00:00:00:01:02"));
}

TEST_CASE("a route may have an MTU and a source of its own, be local, or lead nowhere") {
  director::Route narrow = route("10.8.0.0", 16, "10.0.2.254", 1);
  narrow.mtu = 1400;
  narrow.source = address("10.0.1.1");
  director::Route nowhere, own;
  nowhere.to = address("10.8.9.0");
  nowhere.prefix_length = 24;
  nowhere.kind = RouteKind::unreachable;
  own.to = address("10.8.10.0");
  own.prefix_length = 24;
  own.kind = RouteKind::local;
  const director::RouteTable route_table(two_ports(), {narrow, nowhere, own}, {}, {address("192.0.2.1")});
  CHECK(route_table.next_hop(address("10.8.1.1")).mtu == 1400);
  CHECK(route_table.next_hop(address("10.8.1.1")).source_address == address("10.0.1.1"));
  CHECK(route_table.next_hop(address("10.8.9.1")).state == HopState::no_route);
  CHECK(route_table.is_local(address("10.8.10.77")));
  CHECK(route_table.is_local(address("192.0.2.1")));
  CHECK(route_table.is_local(address("2001:db8:1::1")));
  CHECK_FALSE(route_table.is_local(address("10.0.1.2")));
}
