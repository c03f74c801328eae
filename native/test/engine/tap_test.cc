// SPDX-License-Identifier: Apache-2.0
#include "engine/tap.h"

#include "engine/worker_fixture.h"

using namespace sluice;
using namespace sluice::test;

namespace {

struct Taken {
  engine::TappedFrame head;
  std::vector<uint8_t> bytes;
};

std::vector<Taken> take_all(engine::Tap& tap) {
  std::vector<Taken> all;
  for (Taken one; tap.take(one.head, one.bytes);) all.push_back(one);
  return all;
}

std::shared_ptr<engine::Tap> open(Balancer& balancer, const engine::TapFilter& filter,
                                  size_t capacity = engine::Tap::default_capacity) {
  auto tap = std::make_shared<engine::Tap>(filter, capacity);
  Worker::Visit(*balancer.worker).set_tap(tap);
  return tap;
}

bool shows(const Taken& taken, const char* text) {
  return wire::describe(taken.bytes).find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("a tap shows a frame as it was received, the decision, and the frame as it was transmitted") {
  Balancer balancer;
  const auto tap = open(balancer, {});
  balancer.worker->start();
  balancer.arrive(c0, syn(40000));
  REQUIRE(balancer.sent(s0, 1).size() == 1);
  balancer.worker->stop();
  const auto taken = take_all(*tap);
  REQUIRE(taken.size() == 2);
  CHECK(taken[0].head.port == c0);
  CHECK_FALSE(taken[0].head.has_left);
  CHECK(taken[0].head.reason == Reason::scheduled);
  CHECK(taken[0].head.left == 1);
  CHECK(taken[0].head.service == tcp());
  CHECK(taken[0].head.server == address(server4));
  CHECK(taken[0].head.server_port == 8080);
  CHECK(shows(taken[0], "10.0.1.2.40000 > 10.0.1.100.80"));
  CHECK(taken[1].head.port == s0);
  CHECK(taken[1].head.has_left);
  CHECK(taken[1].head.packet == taken[0].head.packet);
  CHECK(shows(taken[1], "10.0.1.2.40000 > 10.0.2.11.8080"));
}

TEST_CASE("a tap shows packets that match its filter") {
  struct Row {
    const char* what;
    engine::TapFilter filter;
    size_t frames;
  };
  const Row rows[] = {
      {"everything", {}, 3},
      {"a client", {.host = address(client4)}, 3},
      {"a server, which is in what left", {.host = address(server4)}, 2},
      {"a host that is not there", {.host = address("10.9.9.9")}, 0},
      {"a port of what came", {.port = 81}, 1},
      {"a port of what left", {.port = 8080}, 2},
      {"a protocol", {.protocol = wire::protocol::tcp}, 3},
      {"another protocol", {.protocol = wire::protocol::udp}, 0},
      {"a verdict", {.verdict = director::Verdict::pass}, 1},
      {"a reason", {.reason = Reason::scheduled}, 2},
      {"a service", {.service = tcp()}, 2},
      {"a device", {.came_on = s0}, 0},
  };
  for (const Row& row : rows) {
    INFO(row.what);
    Balancer balancer;
    const auto tap = open(balancer, row.filter);
    balancer.worker->start();
    balancer.arrive(c0, from_client()
                            .ipv4({.source = std::string(client4), .destination = std::string(vip4)})
                            .tcp({.source_port = 1, .destination_port = 81, .flags = RST})
                            .build());
    balancer.arrive(c0, syn(40000));
    REQUIRE(balancer.sent(s0, 1).size() == 1);
    balancer.worker->stop();
    CHECK(take_all(*tap).size() == row.frames);
    CHECK(tap->missed() == 0);
  }
}

TEST_CASE("packets without room are missed as a whole and counted, and later ones are shown") {
  Balancer balancer;
  // There is room for one packet with its two frames, but not for two.
  const auto tap = open(balancer, {}, 512);
  balancer.worker->start();
  for (uint16_t i = 0; i < 3; i++) {
    balancer.arrive(c0, syn(static_cast<uint16_t>(40000 + i)));
    REQUIRE(balancer.sent(s0, i + 1u).size() == i + 1u);
  }
  { const Worker::Visit all_is_written(*balancer.worker); }
  CHECK(take_all(*tap).size() == 2);
  CHECK(tap->missed() == 2);
  // The position in the ring wraps around.
  for (uint16_t i = 3; i < 20; i++) {
    balancer.arrive(c0, syn(static_cast<uint16_t>(40000 + i)));
    REQUIRE(balancer.sent(s0, i + 1u).size() == i + 1u);
    { const Worker::Visit all_is_written(*balancer.worker); }
    const auto taken = take_all(*tap);
    REQUIRE(taken.size() == 2);
    CHECK(shows(taken[0], (std::to_string(40000 + i) + " > 10.0.1.100.80").c_str()));
  }
  CHECK(tap->missed() == 2);
}

TEST_CASE("a closed tap shows nothing more") {
  Balancer balancer;
  const auto tap = open(balancer, {});
  Worker::Visit(*balancer.worker).set_tap(nullptr);
  balancer.worker->start();
  balancer.arrive(c0, syn(40000));
  REQUIRE(balancer.sent(s0, 1).size() == 1);
  balancer.worker->stop();
  CHECK(take_all(*tap).empty());
}
