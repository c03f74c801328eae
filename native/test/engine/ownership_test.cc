// SPDX-License-Identifier: Apache-2.0
// The traffic that belongs to directors of various configurations.
#include "engine/ownership.h"

#include <set>

#include "test/director/fixture.h"

using namespace sluice;
using namespace sluice::test;
using engine::Configuration;

namespace {

constexpr uint16_t workers = 3;
constexpr std::array<uint32_t, 2> interfaces = {11, 0};  // the second port's interface does not exist

class Owned {
 public:
  Owned& with(const engine::PlanStep& step) {
    REQUIRE_FALSE(configuration_.apply(step));
    return *this;
  }
  Owned& server(const director::ServiceKey& key, std::string_view host, Forwarding forwarding) {
    director::DestinationSettings settings;
    settings.address = address(host);
    settings.port = 8080;
    settings.forwarding = forwarding;
    return with(engine::AddServer{key, settings});
  }
  host::OwnedTraffic traffic() const { return traffic_of({&configuration_}); }
  static host::OwnedTraffic traffic_of(const std::vector<const Configuration*>& configurations) {
    return engine::owned_traffic_of(configurations, workers, interfaces);
  }

 private:
  Configuration configuration_{{.flows = 1, .fragments = 1}};
};

director::MarkRule rule(uint32_t number, PortId port = director::no_port_id) {
  director::MarkRule rule;
  rule.mark = number;
  rule.port = port;
  return rule;
}

}  // namespace

TEST_CASE("services, and servers whose packets must be seen, belong to the director") {
  const auto traffic = Owned()
                           .with(engine::AddService{tcp(), {}})
                           .server(tcp(), "10.0.2.11", Forwarding::nat)
                           .server(tcp(), "10.0.2.12", Forwarding::dr)
                           .server(tcp(), "10.0.2.13", Forwarding::tunnel)
                           .server(tcp(), "10.0.2.14", Forwarding::fullnat)
                           .traffic();
  REQUIRE(traffic.parts.size() == 1);
  const host::OwnedTraffic::Part& part = *traffic.parts[0];
  CHECK(part.address == address(vip4));
  CHECK(part.port == 80);
  CHECK_FALSE(part.is_marked);
  REQUIRE(part.nat_servers.size() == 1);
  CHECK(part.nat_servers[0].address == address("10.0.2.11"));
  CHECK(part.nat_servers[0].port == 8080);
  CHECK(part.tunnel_servers == std::vector<wire::Address>{address("10.0.2.13")});
}

TEST_CASE("pool addresses and networks behind the gateway belong to the director") {
  const auto traffic = Owned()
                           .with(engine::SetPool{7, {{address("10.0.2.200")}, 2000, 3000}})
                           .with(engine::SetEgress{{{address("10.0.2.0"), 24, 7}}})
                           .traffic();
  REQUIRE(traffic.pools.size() == 1);
  CHECK(traffic.pools[0].address == address("10.0.2.200"));
  CHECK(traffic.pools[0].first_port == 2000);
  CHECK(traffic.pools[0].last_port == 3000);
  REQUIRE(traffic.egress_sources.size() == 1);
  CHECK(traffic.egress_sources[0].prefix_length == 24);
}

TEST_CASE("mark rules count up to the last one that leads to a service, on interfaces that exist") {
  const auto traffic = Owned()
                           .with(engine::AddService{mark(2), {}})
                           .server(mark(2), "10.0.2.11", Forwarding::nat)
                           .with(engine::SetMarks{{rule(1), rule(2, 1), rule(2, 0), rule(3)}})
                           .traffic();
  REQUIRE(traffic.parts.size() == 1);
  CHECK(traffic.parts[0]->is_marked);
  CHECK(traffic.parts[0]->nat_servers.size() == 1);
  REQUIRE(traffic.marks.size() == 2);
  CHECK_FALSE(traffic.marks[0].has_ipv4_service);
  CHECK(traffic.marks[1].has_ipv4_service);
  CHECK_FALSE(traffic.marks[1].has_ipv6_service);
  CHECK(traffic.marks[1].interface == 11);
}

TEST_CASE("what is removed belongs to the director until it is forgotten") {
  Configuration configuration({.flows = 1, .fragments = 1});
  director::DestinationSettings server;
  server.address = address(server4);
  server.port = 8080;
  server.forwarding = Forwarding::nat;
  REQUIRE_FALSE(configuration.apply(engine::AddService{tcp(), {}}));
  REQUIRE_FALSE(configuration.apply(engine::AddServer{tcp(), server}));
  REQUIRE_FALSE(configuration.apply(engine::RemoveService{tcp()}));
  auto traffic = Owned::traffic_of({&configuration});
  REQUIRE(traffic.parts.size() == 1);
  CHECK(traffic.parts[0]->is_removed);
  CHECK(traffic.parts[0]->nat_servers.size() == 1);
  configuration.forget_removed(configuration.removed_destinations(), {});
  CHECK(Owned::traffic_of({&configuration}).parts.empty());
}

TEST_CASE("two configurations share the parts of services that are equal, and each has its own of the others") {
  Configuration now({.flows = 1, .fragments = 1});
  REQUIRE_FALSE(now.apply(engine::AddService{tcp(), {}}));
  REQUIRE_FALSE(now.apply(engine::AddService{tcp("10.0.1.101"), {}}));
  const auto before = Owned::traffic_of({&now});
  Configuration next = now;
  director::ServiceSettings persistent;
  persistent.persistence = 1;
  REQUIRE_FALSE(next.apply(engine::EditService{tcp(), persistent}));
  const auto both = Owned::traffic_of({&now, &next});
  const std::set<const void*> different = [&] {
    std::set<const void*> all;
    for (const auto& part : both.parts) all.insert(part.get());
    return all;
  }();
  CHECK(both.parts.size() == 4);
  CHECK(different.size() == 3);
  for (const auto& part : before.parts) CHECK(different.contains(part.get()));
  // After a change in place, too.
  const void* const latest = Owned::traffic_of({&next}).parts.front().get();
  REQUIRE_FALSE(next.apply(engine::RemoveService{tcp()}));
  REQUIRE_FALSE(next.apply(engine::EditService{tcp("10.0.1.101"), persistent}));
  const auto edited = Owned::traffic_of({&next});
  REQUIRE(edited.parts.size() == 1);
  CHECK(edited.parts.front().get() != latest);
  CHECK_FALSE(different.contains(edited.parts.front().get()));
}
