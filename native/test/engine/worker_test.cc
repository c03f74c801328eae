// SPDX-License-Identifier: Apache-2.0
#include <thread>

#include "engine/worker_fixture.h"

using namespace sluice;
using namespace sluice::test;
TEST_CASE("what comes on one port leaves on another, and is counted") {
  Balancer balancer;
  balancer.worker->start();
  balancer.arrive(c0, syn(40000));
  const auto sent = balancer.sent(s0, 1);
  REQUIRE(sent.size() == 1);
  CHECK(wire::describe(sent[0]).find("10.0.1.2.40000 > 10.0.2.11.8080") != std::string::npos);
  balancer.worker->stop();
  CHECK(balancer.count(engine::Counter::frames_received) == 1);
  CHECK(balancer.count(engine::Counter::frames_transmitted) == 1);
  CHECK(balancer.count(engine::Counter::frames_dropped) == 0);
}

TEST_CASE("a frame whose next hop is being asked for waits, and leaves when the answer is there") {
  Network without_server;
  without_server.neighbours.clear();
  Balancer balancer(without_server);
  balancer.worker->start();
  balancer.arrive(c0, syn(40000));
  // The director's own question.
  REQUIRE(balancer.sent(s0, 1).size() == 1);
  {
    Worker::Visit visit(*balancer.worker);
    visit.director().set_route_table(Network().route_table());
    visit.try_waiting_frames();
  }
  const auto sent = balancer.sent(s0, 2);
  REQUIRE(sent.size() == 2);
  CHECK(wire::describe(sent[1]).find("10.0.1.2.40000 > 10.0.2.11.8080") != std::string::npos);
}

TEST_CASE("changes beside traffic lose no packet") {
  Balancer balancer;
  balancer.worker->start();
  constexpr uint16_t frames = 1000;
  for (uint16_t i = 0; i < frames; i++) {
    balancer.arrive(c0, syn(static_cast<uint16_t>(40000 + i)));
    Worker::Visit visit(*balancer.worker);
    if (i % 2 == 0) {
      balancer.add_server(visit, "10.0.2.12");
    } else {
      REQUIRE(visit.change_services().remove_destination(tcp(), address("10.0.2.12"), 8080) ==
              director::EditResult::done);
    }
  }
  CHECK(balancer.sent(s0, frames).size() == frames);
}

TEST_CASE("a visitor has the worker to itself, whoever else visits") {
  Balancer balancer;
  balancer.worker->start();
  int inside = 0, visits = 0;
  const auto visit_often = [&] {
    for (int i = 0; i < 200; i++) {
      Worker::Visit visit(*balancer.worker);
      CHECK(++inside == 1);
      visits++;
      inside--;
    }
  };
  std::thread other(visit_often);
  visit_often();
  other.join();
  CHECK(visits == 400);
}

TEST_CASE("a worker that was never started can be visited, and stops") {
  Balancer balancer;
  CHECK(Worker::Visit(*balancer.worker).director().services().service_count() == 1);
  balancer.worker->stop();
}
