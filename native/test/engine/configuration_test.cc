// SPDX-License-Identifier: Apache-2.0
// A plan is tried on a configuration and carried out by a director: both refuse the same steps for the same reasons.
#include "engine/configuration.h"

#include <random>

#include "test/director/fixture.h"

using namespace sluice;
using namespace sluice::test;
using engine::Configuration;
using engine::PlanStep;

namespace {

constexpr engine::FixedLimits fixed{.flows = 1000, .fragments = 100};

// Few names, so that many steps concern the same services and servers.
class Plans {
 public:
  explicit Plans(uint32_t seed) : numbers_(seed) {}

  PlanStep next() {
    switch (number(8)) {
      case 0:
        return engine::AddService{key(), settings()};
      case 1:
        return engine::EditService{key(), settings()};
      case 2:
        return engine::RemoveService{key()};
      case 3:
        return engine::EditServer{key(), server()};
      case 4:
        return engine::RemoveServer{key(), server().address, 8080};
      case 5:
        return engine::OrderServers{key(), {server(), server()}};
      case 6:
        return engine::ZeroCounters{key()};
      default:
        return engine::AddServer{key(), server()};
    }
  }

 private:
  uint32_t number(uint32_t below) { return static_cast<uint32_t>(numbers_()) % below; }
  director::ServiceKey key() {
    static const director::ServiceKey keys[] = {tcp(vip4), tcp(vip6), tcp("10.0.1.101")};
    return keys[number(3)];
  }
  director::ServiceSettings settings() {
    director::ServiceSettings settings;
    static const char* const schedulers[] = {"rr", "wlc", "mh", "none such"};
    settings.scheduler = schedulers[number(4)];
    return settings;
  }
  director::DestinationSettings server() {
    static const std::string_view hosts[] = {"10.0.2.11", "10.0.2.12", "2001:db8:2::11"};
    director::DestinationSettings settings;
    settings.address = address(hosts[number(3)]);
    settings.port = 8080;
    settings.forwarding = number(3) == 0 ? Forwarding::tunnel : Forwarding::nat;
    return settings;
  }

  std::mt19937 numbers_;
};

size_t count_services(const Configuration& configuration) {
  size_t count = 0;
  configuration.for_each_entry([&](const Configuration::Entry& entry) { count += entry.is_removed ? 0 : 1; });
  return count;
}

// Real servers by name, also removed ones, with their forwarding modes.
std::multimap<std::string, Forwarding> servers_of(const Configuration& configuration) {
  std::multimap<std::string, Forwarding> servers;
  const auto add = [&](const auto& one) { servers.emplace(wire::to_string(one.address), one.forwarding); };
  configuration.for_each_entry([&](const Configuration::Entry& entry) {
    std::ranges::for_each(entry.servers, add);
    std::ranges::for_each(entry.removed, add);
  });
  return servers;
}

std::multimap<std::string, Forwarding> servers_of(const director::Director& director) {
  std::multimap<std::string, Forwarding> servers;
  director.services().for_each_destination(
      [&](const director::Destination& one) { servers.emplace(wire::to_string(one.address), one.forwarding); });
  return servers;
}

void forget_all_removed(Configuration& configuration) {
  configuration.forget_removed(configuration.removed_destinations(), configuration.removed_ranges());
}

engine::AddServer nat_server(std::string_view host = server4) {
  director::DestinationSettings settings;
  settings.address = address(host);
  settings.port = 8080;
  settings.forwarding = Forwarding::nat;
  return {tcp(), settings};
}

}  // namespace

TEST_CASE("a step is refused in the trial exactly if a director refuses it") {
  for (uint32_t seed = 1; seed <= 40; seed++) {
    CAPTURE(seed);
    Plans plans(seed);
    Configuration configuration(fixed);
    Fixture fixture;
    for (int i = 0; i < 200; i++) {
      const PlanStep step = plans.next();
      const auto refusal = configuration.apply(step);
      const std::string_view outcome = carry_out(step, fixture.director);
      REQUIRE((refusal ? refusal->reason : "done") == outcome);
      CHECK(count_services(configuration) == fixture.director.services().service_count());
    }
    // Without flows a director forgets a removed server at once.
    forget_all_removed(configuration);
    CHECK(servers_of(configuration) == servers_of(fixture.director));
  }
}

TEST_CASE("a change of a copy leaves the original unchanged") {
  Configuration original(fixed);
  REQUIRE_FALSE(original.apply(engine::AddService{tcp(), {}}));
  Configuration copy = original;
  REQUIRE_FALSE(copy.apply(nat_server()));
  REQUIRE_FALSE(copy.apply(engine::AddService{tcp(vip6), {}}));
  CHECK(servers_of(original).empty());
  CHECK(count_services(original) == 1);
  CHECK(servers_of(copy).size() == 1);
}

TEST_CASE("removed servers and pool addresses are known until they are forgotten") {
  Configuration configuration(fixed);
  REQUIRE_FALSE(configuration.apply(engine::AddService{tcp(), {}}));
  REQUIRE_FALSE(configuration.apply(nat_server()));
  REQUIRE_FALSE(configuration.apply(engine::SetPool{1, {{address("10.0.2.200"), address("10.0.2.201")}, 1024, 2048}}));
  CHECK_FALSE(configuration.has_removed());
  REQUIRE_FALSE(configuration.apply(engine::SetPool{1, {{address("10.0.2.201")}, 1024, 2048}}));
  REQUIRE_FALSE(configuration.apply(engine::RemoveService{tcp()}));
  CHECK(servers_of(configuration).size() == 1);
  REQUIRE(configuration.removed_destinations().size() == 1);
  CHECK_FALSE(configuration.has_service(tcp()));
  REQUIRE(configuration.removed_ranges().size() == 1);
  CHECK(configuration.removed_ranges()[0].address == address("10.0.2.200"));
  size_t ranges = 0;
  configuration.for_each_range([&](const Configuration::PoolRange&) { ranges++; });
  CHECK(ranges == 2);
  forget_all_removed(configuration);
  CHECK(servers_of(configuration).empty());
  CHECK_FALSE(configuration.has_removed());
}

TEST_CASE("a removed server that is added again no longer counts as removed") {
  Configuration configuration(fixed);
  REQUIRE_FALSE(configuration.apply(engine::AddService{tcp(), {}}));
  REQUIRE_FALSE(configuration.apply(nat_server()));
  REQUIRE_FALSE(configuration.apply(engine::RemoveServer{tcp(), address(server4), 8080}));
  CHECK(configuration.has_removed());
  REQUIRE_FALSE(configuration.apply(nat_server()));
  CHECK_FALSE(configuration.has_removed());
}

TEST_CASE("a server whose mode changes is removed in its old mode, as far as its flows are seen") {
  using director::Forwarding;
  Configuration configuration(fixed);
  REQUIRE_FALSE(configuration.apply(engine::AddService{tcp(), {}}));
  REQUIRE_FALSE(configuration.apply(nat_server()));
  const auto edit = [&](Forwarding forwarding) {
    engine::EditServer step{tcp(), nat_server().settings};
    step.settings.forwarding = forwarding;
    REQUIRE_FALSE(configuration.apply(step));
    std::vector<Forwarding> removed;
    for (const auto& one : configuration.removed_destinations()) removed.push_back(one.forwarding);
    std::sort(removed.begin(), removed.end());
    return removed;
  };
  using Modes = std::vector<Forwarding>;
  CHECK(edit(Forwarding::nat) == Modes{});
  CHECK(edit(Forwarding::dr) == Modes{Forwarding::nat});
  CHECK(edit(Forwarding::tunnel) == Modes{Forwarding::nat});
  CHECK(edit(Forwarding::fullnat).size() == 2);
  CHECK(edit(Forwarding::nat) == Modes{Forwarding::tunnel});
  forget_all_removed(configuration);
  CHECK_FALSE(configuration.has_removed());
}

TEST_CASE("a service that is added again keeps the servers that it was removed with until they are forgotten") {
  Configuration configuration(fixed);
  REQUIRE_FALSE(configuration.apply(engine::AddService{tcp(), {}}));
  REQUIRE_FALSE(configuration.apply(nat_server("10.0.2.11")));
  REQUIRE_FALSE(configuration.apply(nat_server("10.0.2.12")));
  REQUIRE_FALSE(configuration.apply(engine::RemoveService{tcp()}));
  REQUIRE_FALSE(configuration.apply(engine::AddService{tcp(), {}}));
  CHECK(configuration.has_service(tcp()));
  CHECK(configuration.removed_destinations().size() == 2);
  REQUIRE_FALSE(configuration.apply(nat_server("10.0.2.11")));
  CHECK(configuration.removed_destinations().size() == 1);
  const Configuration copy = configuration;
  forget_all_removed(configuration);
  CHECK(servers_of(configuration).size() == 1);
  CHECK(servers_of(copy).size() == 2);
}

TEST_CASE("limits that cannot change while the director runs are refused with a remedy") {
  Configuration configuration(fixed);
  CHECK_FALSE(configuration.apply(engine::SetLimits{1000, 1, 100}));
  CHECK_FALSE(configuration.apply(engine::SetLimits{1, 1, 100}));
  const auto flows = configuration.apply(engine::SetLimits{1001, 1, 100});
  REQUIRE(flows);
  CHECK(flows->reason ==
        "limits.flows: 1001 is more than the 1000 that the flow tables were made for when the director started");
  CHECK(flows->remedy == "restart sluice to have more, or give at most 1000");
  const auto fragments = configuration.apply(engine::SetLimits{1000, 1, 99});
  REQUIRE(fragments);
  CHECK(fragments->reason == "limits.fragments: 99 is not the 100 that the director started with");
  CHECK(fragments->remedy == "restart sluice to change it");
}

TEST_CASE("a pool grows by one address per step, in the wanted order, and is never without an address") {
  const auto names = [](const std::vector<PlanStep>& steps) {
    std::vector<std::string> all;
    for (const PlanStep& step : steps) {
      std::string text;
      for (const wire::Address& one : std::get<engine::SetPool>(step).settings.addresses) {
        text += wire::to_string(one).substr(7) + " ";
      }
      all.push_back(text);
    }
    return all;
  };
  using Names = std::vector<std::string>;
  const auto pool = [](std::initializer_list<const char*> hosts, uint16_t last_port = 2048) {
    director::PoolSettings settings{{}, 1024, last_port};
    for (const char* const host : hosts) settings.addresses.push_back(address(host));
    return settings;
  };
  const director::PoolSettings before = pool({"10.0.2.1", "10.0.2.3"});
  const auto small = [&](const director::PoolSettings& wanted, const director::PoolSettings* present) {
    return names(engine::in_small_steps({1, wanted}, present));
  };
  CHECK(small(pool({"10.0.2.1", "10.0.2.2"}), nullptr) == Names{"1 ", "1 2 "});
  CHECK(small(pool({"10.0.2.1", "10.0.2.2", "10.0.2.3", "10.0.2.4"}), &before) == Names{"1 3 ", "1 2 3 ", "1 2 3 4 "});
  CHECK(small(pool({"10.0.2.3"}), &before) == Names{"3 "});
  CHECK(small(pool({"10.0.2.5", "10.0.2.6"}), &before) == Names{"5 ", "5 6 "});
  // With other ports, no place of the old pool is a place of the new one.
  CHECK(small(pool({"10.0.2.1", "10.0.2.3"}, 4096), &before) == Names{"1 ", "1 3 "});
  CHECK(small(pool({}), &before) == Names{""});
}
