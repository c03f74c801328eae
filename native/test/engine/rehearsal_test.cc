// SPDX-License-Identifier: Apache-2.0
#include "engine/rehearsal.h"

#include <unistd.h>

#include "engine/worker_fixture.h"

using namespace sluice;
using namespace sluice::test;

namespace {

engine::Rehearsal rehearse(Balancer& balancer, const std::vector<engine::RehearsalFrame>& frames,
                           const engine::RehearsalOptions& options = {}) {
  engine::Rehearsal rehearsal;
  host::Failure failure;
  const bool is_done = engine::rehearse(*balancer.worker, frames, options, rehearsal, failure);
  INFO(failure.message);
  REQUIRE(is_done);
  return rehearsal;
}

uint32_t flows(Balancer& balancer) {
  return Worker::Visit(*balancer.worker).director().flows<wire::Ipv4Address>().table().size();
}

}  // namespace

TEST_CASE("a rehearsal reports what would happen to a packet, and nothing happens") {
  Balancer balancer;
  balancer.worker->start();
  const Buffer frame = syn(40000);
  const auto rehearsal = rehearse(balancer, {{.port = c0, .bytes = frame}});
  REQUIRE(rehearsal.decisions.size() == 1);
  const auto& decision = rehearsal.decisions[0];
  CHECK(decision.reason == Reason::scheduled);
  CHECK(decision.service == "tcp 10.0.1.100:80");
  CHECK(decision.server == "10.0.2.11:8080");
  CHECK(decision.mode == "nat");
  CHECK(!decision.steps.empty());
  REQUIRE(decision.sent.size() == 1);
  CHECK(decision.sent[0].port == s0);
  CHECK(wire::describe(decision.sent[0].bytes).find("10.0.1.2.40000 > 10.0.2.11.8080") != std::string::npos);

  CHECK(flows(balancer) == 0);
  CHECK(Worker::Visit(*balancer.worker).director().count(Reason::scheduled) == 0);
  CHECK(balancer.sent(s0).empty());
}

TEST_CASE("packets of one rehearsal see the effects of earlier ones, and existing flows") {
  Balancer balancer;
  balancer.worker->start();
  const Buffer first = syn(40000), known = syn(40001);
  balancer.arrive(c0, known);
  REQUIRE(balancer.sent(s0, 1).size() == 1);
  const auto rehearsal =
      rehearse(balancer, {{.port = c0, .bytes = first}, {.port = c0, .bytes = first}, {.port = c0, .bytes = known}});
  REQUIRE(rehearsal.decisions.size() == 3);
  CHECK(rehearsal.decisions[0].reason == Reason::scheduled);
  CHECK(rehearsal.decisions[1].reason == Reason::established);
  CHECK(rehearsal.decisions[2].reason == Reason::established);
  CHECK(flows(balancer) == 1);
}

TEST_CASE("a rehearsal of large frames returns them whole") {
  Balancer balancer;
  const Buffer frame = from_client()
                           .ipv4({.source = std::string(client4), .destination = std::string(vip4)})
                           .tcp({.source_port = 40000, .destination_port = 80})
                           .payload(std::string(1400, 'x'))
                           .build();
  const std::vector<engine::RehearsalFrame> frames(200, {.port = c0, .bytes = frame});
  const auto rehearsal = rehearse(balancer, frames);
  for (const auto& decision : rehearsal.decisions) {
    REQUIRE(decision.sent.size() == 1);
    CHECK(decision.sent[0].bytes.size() == frame.size());
  }
}

TEST_CASE("the worker goes on while its copy decides, and the copy sees nothing of that") {
  Balancer balancer;
  balancer.worker->start();
  int copied[2], may_decide[2];
  REQUIRE(pipe(copied) == 0);
  REQUIRE(pipe(may_decide) == 0);
  const auto prepare = [&] {
    char byte = 0;
    if (write(copied[1], &byte, 1) != 1 || read(may_decide[0], &byte, 1) != 1) _exit(1);
  };
  const Buffer frame = syn(40000);
  engine::Rehearsal rehearsal;
  host::Failure failure;
  bool is_done = false;
  std::thread asking([&] {
    is_done = engine::rehearse(*balancer.worker, {{.port = c0, .bytes = frame}},
                               {.prepare = prepare, .limit_milliseconds = 60'000}, rehearsal, failure);
  });
  char byte = 0;
  CHECK(read(copied[0], &byte, 1) == 1);
  balancer.arrive(c0, frame);
  CHECK(balancer.sent(s0, 1).size() == 1);
  CHECK(write(may_decide[1], &byte, 1) == 1);
  asking.join();
  for (const int end : {copied[0], copied[1], may_decide[0], may_decide[1]}) close(end);
  INFO(failure.message);
  REQUIRE(is_done);
  CHECK(rehearsal.decisions.at(0).reason == Reason::scheduled);
  CHECK(flows(balancer) == 1);
}

TEST_CASE("a copy that does not answer is ended, and the worker goes on") {
  Balancer balancer;
  balancer.worker->start();
  const Buffer frame = syn(40000);
  engine::Rehearsal rehearsal;
  host::Failure failure;
  const engine::RehearsalOptions options{.prepare = [] { pause(); }, .limit_milliseconds = 20};
  CHECK_FALSE(engine::rehearse(*balancer.worker, {{.port = c0, .bytes = frame}}, options, rehearsal, failure));
  CHECK(failure.message == "the director's copy had no answer after 20 ms; ask again when the host is less busy");
  balancer.arrive(c0, frame);
  CHECK(balancer.sent(s0, 1).size() == 1);
}

TEST_CASE("it is reported if a copy ends early") {
  Balancer balancer;
  const Buffer frame = syn(40000);
  engine::Rehearsal rehearsal;
  host::Failure failure;
  const engine::RehearsalOptions options{.prepare = [] { _exit(0); }};
  CHECK_FALSE(engine::rehearse(*balancer.worker, {{.port = c0, .bytes = frame}}, options, rehearsal, failure));
  CHECK(failure.message ==
        "the director's copy ended before it had answered; ask again, and report this packet if that fails too");
}
