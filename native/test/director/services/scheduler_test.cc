// SPDX-License-Identifier: Apache-2.0
// What every scheduler must do, however it chooses, and what Sluice's own schedulers promise. The choices of the
// kernel's schedulers are compared with the kernel in scheduler_kernel_test.cc.
#include <doctest/doctest.h>

#include <set>

#include "test/director/services/farm.h"

namespace sluice::director::test {
namespace {

// One flow of many: clients, ports and destinations all differ.
ScheduleRequest request(uint32_t n, Time now = 1000 * second) {
  wire::Ipv4Address client, to;
  client.raw = 0x0b + n * 0x9e3779b9u;
  to.raw = 0x090a + n * 0x85ebca6bu;
  return {client, to, static_cast<uint16_t>(1024 + n % 60000), 80, 6, now};
}

std::string server(unsigned n) {
  return "10.0.2." + std::to_string(n);
}

std::map<std::string, int> count_picks(Farm& farm, uint32_t picks, bool keep_flows) {
  std::map<std::string, int> counts;
  for (uint32_t n = 0; n < picks; n++) {
    Destination* d = farm.pick(request(n));
    counts[d != nullptr ? wire::to_string(d->address) : "none"]++;
    if (keep_flows && d != nullptr) farm.opened(d);
  }
  return counts;
}

// Without the fallback flag, the kernel's hashing schedulers pick no server for a client of an unusable server.
uint8_t falling_back(std::string_view name) {
  return name == "sh" || name == "mh" ? flag_1 : 0;
}
bool leaves_clients_without(std::string_view name, uint8_t flags) {
  return name == "dh" || (falling_back(name) & ~flags) != 0;
}
// As in the kernel, lblc and lblcr keep known addresses at a server that has reached its threshold. ovf overflows the
// first server at its weight.
bool picks_by_destination(std::string_view name) {
  return name == "lblc" || name == "lblcr";
}

void each_scheduler(const std::function<void(const std::string&, uint8_t)>& test) {
  for (std::string_view name : scheduler_names()) {
    if (name == "none") continue;
    for (uint8_t flags : {uint8_t{0}, falling_back(name), static_cast<uint8_t>(falling_back(name) | flag_2)}) {
      CAPTURE(std::string(name));
      CAPTURE(static_cast<int>(flags));
      test(std::string(name), flags);
    }
  }
}

TEST_CASE("there are IPVS's fourteen schedulers, none, and three of Sluice") {
  const std::set<std::string_view> names(scheduler_names().begin(), scheduler_names().end());
  CHECK(names == std::set<std::string_view>{"rr", "wrr", "lc", "wlc", "sed", "nq", "sh", "dh", "mh", "lblc", "lblcr",
                                            "fo", "ovf", "twos", "none", "random", "ring", "rendezvous"});
  const Destinations none;
  CHECK(make_scheduler("least", {none, 0, {}}) == nullptr);
  CHECK(make_scheduler("", {none, 0, {}}) == nullptr);
}

TEST_CASE("the scheduler none picks nobody") {
  Farm farm("none", 0);
  farm.add(server(1), 1);
  CHECK(farm.pick(request(1)) == nullptr);
}

TEST_CASE("a service without servers gives none") {
  each_scheduler([](const std::string& name, uint8_t flags) {
    Farm farm(name, flags);
    for (uint32_t n = 0; n < 20; n++) CHECK(farm.pick(request(n)) == nullptr);
    farm.add(server(1), 1);
    CHECK(farm.pick(request(1)) == farm.at(server(1)));
    farm.remove(server(1));
    for (uint32_t n = 0; n < 20; n++) CHECK(farm.pick(request(n)) == nullptr);
  });
}

TEST_CASE("servers of weight 0 get no new flow") {
  each_scheduler([](const std::string& name, uint8_t flags) {
    Farm farm(name, flags);
    for (unsigned n = 1; n <= 5; n++) farm.add(server(n), n % 2 == 0 ? 0 : static_cast<int32_t>(n));
    auto counts = count_picks(farm, 500, false);
    CHECK(counts[server(2)] + counts[server(4)] == 0);
    if (!leaves_clients_without(name, flags)) CHECK(counts["none"] == 0);
    for (unsigned n : {1u, 3u, 5u}) farm.edit(server(n), 0);
    CHECK(count_picks(farm, 100, false)["none"] == 100);
    farm.edit(server(3), 1);
    counts = count_picks(farm, 500, false);
    CHECK(counts[server(3)] > 0);
    CHECK(counts[server(3)] + counts["none"] == 500);
  });
}

TEST_CASE("overloaded servers get no new flow") {
  each_scheduler([](const std::string& name, uint8_t flags) {
    Farm farm(name, flags);
    for (unsigned n = 1; n <= 5; n++) farm.add(server(n), 1000);
    farm.overload(farm.at(server(2)));
    farm.overload(farm.at(server(5)));
    auto counts = count_picks(farm, 500, true);
    CHECK(counts[server(2)] + counts[server(5)] == 0);
    for (unsigned n = 1; n <= 5; n++) farm.overload(farm.at(server(n)));
    if (!picks_by_destination(name)) CHECK(count_picks(farm, 100, true)["none"] == 100);
  });
}

TEST_CASE("servers may be added and removed in the middle of the list") {
  each_scheduler([](const std::string& name, uint8_t flags) {
    Farm farm(name, flags);
    std::mt19937 random(7);
    std::set<unsigned> in;
    for (uint32_t step = 0; step < 600; step++) {
      const unsigned n = 1 + random() % 12;
      if (in.count(n) == 0) {
        farm.add(server(n), static_cast<int32_t>(random() % 5));
        in.insert(n);
      } else if (random() % 3 == 0) {
        farm.remove(server(n));
        in.erase(n);
      } else {
        farm.edit(server(n), static_cast<int32_t>(random() % 300));
      }
      Destination* d = farm.pick(request(random()));
      if (d == nullptr) continue;
      CHECK(std::count(farm.list().begin(), farm.list().end(), d) == 1);
      CHECK(d->weight > 0);
      farm.opened(d);
    }
  });
}

TEST_CASE("the same flows and the same random numbers give the same servers") {
  each_scheduler([](const std::string& name, uint8_t flags) {
    Farm one(name, flags, 42), two(name, flags, 42);
    for (Farm* farm : {&one, &two}) {
      for (unsigned n = 1; n <= 7; n++) farm->add(server(n), static_cast<int32_t>(1 + n % 3));
    }
    for (uint32_t n = 0; n < 1000; n++) {
      Destination *a = one.pick(request(n)), *b = two.pick(request(n));
      CHECK((a == nullptr) == (b == nullptr));
      if (a == nullptr || b == nullptr) continue;
      CHECK(a->address == b->address);
      one.opened(a);
      two.opened(b);
    }
  });
}

TEST_CASE("every explained decision ends with the server, or says that there is none") {
  each_scheduler([](const std::string& name, uint8_t flags) {
    Farm farm(name, flags);
    Trace trace;
    farm.pick(request(0), &trace);
    REQUIRE(!trace.steps().empty());
    CHECK(trace.steps().back() == name + ": no server will do");
    for (unsigned n = 1; n <= 50; n++) farm.add(server(n), 1);
    for (uint32_t n = 0; n < 20; n++) {
      trace.clear();
      const Destination* d = farm.pick(request(n), &trace);
      REQUIRE(d != nullptr);
      CHECK(trace.steps().back() == name + ": " + wire::to_string(d->address) + ":80");
      CHECK(trace.steps().size() >= 2);
      CHECK(trace.steps().size() <= 36);
    }
  });
}

TEST_CASE("an explanation changes no choice") {
  each_scheduler([](const std::string& name, uint8_t flags) {
    Farm one(name, flags), two(name, flags);
    for (Farm* farm : {&one, &two}) {
      for (unsigned n = 1; n <= 7; n++) farm->add(server(n), static_cast<int32_t>(n % 4));
    }
    Trace trace;
    for (uint32_t n = 0; n < 300; n++) {
      Destination *a = one.pick(request(n)), *b = two.pick(request(n), &trace);
      REQUIRE((a == nullptr) == (b == nullptr));
      if (a == nullptr || b == nullptr) continue;
      CHECK(a->address == b->address);
      one.opened(a);
      two.opened(b);
    }
  });
}

// Shares of 10,000 new flows with weights 1 : 2 : 3 : 4, with a tolerance relative to the expected share.
TEST_CASE("weights are respected") {
  struct {
    const char* name;
    double tolerance;  // of each server's share
  } const promises[] = {{"wrr", 0.001}, {"wlc", 0.01}, {"sed", 0.01},   {"nq", 0.01},   {"sh", 0.15},
                        {"mh", 0.1},    {"twos", 0.1}, {"random", 0.1}, {"ring", 0.15}, {"rendezvous", 0.1}};
  for (const auto& [name, tolerance] : promises) {
    CAPTURE(std::string(name));
    Farm farm(name, flag_2);
    for (unsigned n = 1; n <= 4; n++) farm.add(server(n), static_cast<int32_t>(n));
    auto counts = count_picks(farm, 10000, true);
    for (unsigned n = 1; n <= 4; n++) {
      CAPTURE(n);
      CHECK(counts[server(n)] == doctest::Approx(n * 1000).epsilon(tolerance));
    }
  }
}

TEST_CASE("ports are hashed only with the flag") {
  for (const char* name : {"sh", "mh", "ring", "rendezvous"}) {
    CAPTURE(std::string(name));
    std::set<Destination*> by_address, by_port;
    Farm plain(name), with_port(name, flag_2);
    for (unsigned n = 1; n <= 8; n++) {
      plain.add(server(n), 1);
      with_port.add(server(n), 1);
    }
    for (uint16_t port = 2000; port < 2200; port++) {
      by_address.insert(plain.pick("11.1.2.3", port));
      by_port.insert(with_port.pick("11.1.2.3", port));
    }
    CHECK(by_address.size() == 1);
    CHECK(by_port.size() == 8);
  }
}

TEST_CASE("the order of the list does not matter for ring and rendezvous") {
  for (const char* name : {"ring", "rendezvous"}) {
    CAPTURE(std::string(name));
    Farm up(name), down(name);
    for (unsigned n = 1; n <= 9; n++) up.add(server(n), static_cast<int32_t>(n));
    for (unsigned n = 9; n >= 1; n--) down.add(server(n), static_cast<int32_t>(n));
    for (uint32_t n = 0; n < 1000; n++) CHECK(up.pick(request(n))->address == down.pick(request(n))->address);
  }
}

TEST_CASE("no server of a ring takes more than 1.25 times its share") {
  Farm farm("ring", flag_2);
  for (unsigned n = 1; n <= 10; n++) farm.add(server(n), 1);
  for (uint32_t n = 0; n < 5000; n++) farm.opened(farm.pick(request(n)));
  for (const Destination* d : farm.list()) CHECK(d->active <= 626);
  SUBCASE("even if every flow has the same client") {
    Farm one("ring");
    for (unsigned n = 1; n <= 10; n++) one.add(server(n), 1);
    for (uint32_t n = 0; n < 5000; n++) one.opened(one.pick("11.1.2.3"));
    for (const Destination* d : one.list()) CHECK(d->active <= 626);
  }
}

TEST_CASE("a server that leaves rendezvous moves only its own clients") {
  Farm farm("rendezvous");
  for (unsigned n = 1; n <= 9; n++) farm.add(server(n), static_cast<int32_t>(n));
  std::vector<Destination*> before;
  for (uint32_t n = 0; n < 5000; n++) before.push_back(farm.pick(request(n)));
  farm.remove(server(4));
  for (uint32_t n = 0; n < 5000; n++) {
    if (before[n] != farm.at(server(4))) CHECK(farm.pick(request(n)) == before[n]);
  }
}

TEST_CASE("mh works with more servers than its table has places") {
  Farm farm("mh", flag_1 | flag_2);
  for (unsigned n = 0; n < 4200; n++) {
    farm.add("10.1." + std::to_string(n / 200) + "." + std::to_string(n % 200 + 1), 1);
  }
  std::set<Destination*> picked;
  for (uint32_t n = 0; n < 20000; n++) picked.insert(farm.pick(request(n)));
  CHECK(picked.count(nullptr) == 0);
  CHECK(picked.count(farm.at("10.1.20.200")) == 0);  // the newest one has no place
  CHECK(picked.size() > 4000);
}

TEST_CASE("lblc forgets an address after a day without a connection") {
  Farm farm("lblc");
  farm.add(server(1), 100);
  farm.add(server(2), 100);
  Destination* first = farm.pick("11.0.0.1", 1, "10.9.0.1");
  farm.opened(first);
  farm.now += 23 * 3600 * second;
  CHECK(farm.pick("11.0.0.1", 2, "10.9.0.1") == first);
  farm.now += 25 * 3600 * second;
  CHECK(farm.pick("11.0.0.1", 3, "10.9.0.1") != first);
}

TEST_CASE("lblc limits its memory, and drops what is six minutes old while there is too much") {
  for (const char* name : {"lblc", "lblcr"}) {
    CAPTURE(std::string(name));
    Farm farm(name);
    farm.add(server(1), 1000000);
    farm.add(server(2), 1000000);
    Destination* first = farm.at(server(2));
    const auto pick = [&](uint32_t n) { return farm.pick(request(n, farm.now)); };
    CHECK(pick(0) == first);
    farm.opened(first);  // from now on the other server is the least loaded, so a forgotten address moves
    for (uint32_t n = 1; n < 30000; n++) pick(n);
    CHECK(pick(0) == first);
    for (int minute = 0; minute < 12; minute++) {
      farm.now += 60 * second;
      pick(1);
    }
    // 8192 addresses above the limit are gone, and a few more of the last bucket.
    CHECK(pick(1) == farm.at(server(1)));
    int forgotten = 0;
    farm.set_active(farm.at(server(1)), 5);
    for (uint32_t n = 1; n < 24576; n++) forgotten += pick(n) == first;
    CHECK(forgotten >= 8191);
  }
}

TEST_CASE("lblcr drops the most loaded server of a set that has not changed for a day") {
  Farm farm("lblcr");
  farm.add(server(1), 2);
  farm.add(server(2), 8);
  const auto pick = [&] { return farm.pick("11.0.0.1", 1, "10.9.0.1"); };
  Destination *one = farm.at(server(1)), *two = farm.at(server(2));
  farm.set_active(two, 30);
  CHECK(pick() == one);
  farm.set_active(one, 3);
  farm.set_active(two, 0);
  CHECK(pick() == two);  // `one` is overburdened: `two` joins
  farm.set_active(two, 100);
  farm.set_active(one, 0);
  CHECK(pick() == one);
  farm.now += 20 * 3600 * second;
  CHECK(pick() == one);  // the address stays known
  farm.now += 5 * 3600 * second;
  CHECK(pick() == one);  // a day and an hour after the last change: `two` leaves the set
  farm.set_active(two, 0);
  farm.set_active(one, 1);
  CHECK(pick() == one);
}

TEST_CASE("levels of wrr that no server reaches cost no walk") {
  Farm farm("wrr");
  for (unsigned n = 1; n <= 9; n++) farm.add(server(n), 1);
  farm.add(server(10), 2000000000, 1);
  farm.opened(farm.pick(request(0)));
  for (uint32_t n = 0; n < 1000; n++) {
    Destination* d = farm.pick(request(n));  // level by level this would be two thousand million levels
    REQUIRE(d != nullptr);
    CHECK(d->weight == 1);
  }
}

TEST_CASE("twos takes the less loaded of two servers drawn by weight") {
  std::vector<uint32_t> numbers{0, UINT32_MAX};
  size_t drawn = 0;
  const auto source = [&] { return numbers[drawn++ % numbers.size()]; };
  Destination a, b;
  a.weight = 2;
  b.weight = 1;
  Destinations list{&a, &b};
  auto twos = make_scheduler("twos", {list, 0, source});
  CHECK(twos->pick(request(0), nullptr) == &a);  // both are idle: the first drawn
  a.active = 1;
  CHECK(twos->pick(request(0), nullptr) == &b);
  b.active = 1;
  CHECK(twos->pick(request(0), nullptr) == &a);  // 257/2 against 257/1
  numbers = {UINT32_MAX, UINT32_MAX};
  CHECK(twos->pick(request(0), nullptr) == &b);
}

// With a trace these schedulers walk the list, otherwise they keep a tournament. Both must choose the same server.
TEST_CASE("an explained choice equals the unexplained one") {
  for (const char* name : {"lc", "wlc", "sed", "nq", "fo", "ovf"}) {
    for (const unsigned most : {1u, 2u, 3u, 13u, 64u, 200u}) {
      CAPTURE(name);
      CAPTURE(most);
      Farm farm(name);
      std::mt19937 random(most);
      std::vector<std::pair<Destination*, bool>> flows;  // whether active
      const auto draw = [&](size_t bound) { return static_cast<unsigned>(random() % bound); };
      const auto some_server = [&] { return server(1 + draw(most)); };
      const auto listed = [&](const std::string& address) {
        return std::any_of(farm.list().begin(), farm.list().end(),
                           [&](const Destination* d) { return wire::to_string(d->address) == address; });
      };
      for (int step = 0; step < 3000; step++) {
        const std::string one = some_server();
        const int32_t weight = static_cast<int32_t>(draw(4));
        const uint32_t upper = draw(3) == 0 ? 1 + draw(6) : 0;
        const unsigned action = draw(100);
        if (action < 8 && !listed(one)) farm.add(one, weight, upper);
        if (action == 8 && listed(one)) farm.edit(one, weight, upper);
        if (action == 9 && listed(one)) farm.remove(one);
        if (action >= 10 && action < 45 && !flows.empty()) {
          std::swap(flows[draw(flows.size())], flows.back());
          auto& [d, active] = flows.back();
          if (active && action < 20) {
            farm.closed(d);
            active = false;
          } else {
            farm.expired(d, active);
            flows.pop_back();
          }
        }
        Trace trace;
        Destination* explained = farm.pick(request(0), &trace);
        REQUIRE(farm.pick(request(0)) == explained);
        if (explained == nullptr || action < 40) continue;
        farm.opened(explained);
        flows.emplace_back(explained, true);
      }
    }
  }
}

TEST_CASE("wlc prints its numbers") {
  Farm farm("wlc");
  for (unsigned n = 1; n <= 3; n++) farm.add(server(n), 2);
  farm.at(server(3))->active = 5;
  farm.at(server(2))->active = 3;
  farm.at(server(2))->inactive = 1;
  farm.edit(server(1), 0);
  Trace trace;
  farm.pick(request(0), &trace);
  CHECK(trace.steps() == std::vector<std::string>{
                             "10.0.2.3:80: 5 active, 0 inactive, weight 2: 1285/2 = 642.5, lowest so far",
                             "10.0.2.2:80: 3 active, 1 inactive, weight 2: 772/2 = 386.0, lowest so far",
                             "10.0.2.1:80: weight 0, passed by",
                             "wlc: 10.0.2.2:80",
                         });
}

}  // namespace
}  // namespace sluice::director::test
