// SPDX-License-Identifier: Apache-2.0
// Plans, the limit of flows and the table of connections of a live director.
#include "engine/live_director.h"

#include <set>
#include <thread>

#include "live_fixture.h"
#include "wire/describe.h"

using namespace sluice;
using namespace sluice::test;
using engine::LiveDirector;
using engine::PlanStep;

namespace {

Buffer reply() {
  return ethernet({.source = outside_mac, .destination = inside_mac})
      .ipv4({.source = server_address, .destination = "10.9.0.77"})
      .tcp({.source_port = 8080, .destination_port = 1234, .flags = SYN | ACK})
      .build();
}

}  // namespace

TEST_CASE("a worker that cannot be pinned forwards, and a notice says so") {
  if (!is_root()) return;
  const Namespaces namespaces;
  constexpr int missing = CPU_SETSIZE - 1;
  Live live(nullptr, {"b0"}, true, {-1, missing});
  live.apply(one_service());
  live.start();
  CHECK(live.live->notices() ==
        std::vector<std::string>{"worker 1 is not pinned: this process may not use CPU " + std::to_string(missing)});
  send_syns(namespaces, 20);
  CHECK(await([&] { return live.connections() == 20; }));
}

TEST_CASE("a plan with a refused step changes nothing") {
  if (!is_root()) return;
  const Namespaces namespaces;
  Live live;
  live.apply(one_service());
  live.start();
  auto steps = one_service(other_vip);
  steps.push_back(engine::AddService{service(vip), {}});
  const auto refusal = live.refused(steps);
  CHECK(refusal.step == 2);
  CHECK(refusal.reason == "service-exists");
  CHECK(live.every_worker_has(vip));
  CHECK_FALSE(live.every_worker_has(other_vip));
  CHECK(live.owner(syn(1, other_vip)) == host::bpf::STEAL_NOTHING);
}

TEST_CASE("a plan that the kernel refuses changes neither what is forwarded nor what is stolen") {
  if (!is_root()) return;
  const Namespaces namespaces;
  Live live;
  live.apply(one_service());
  live.start();
  auto steps = one_service(other_vip);
  steps.push_back(engine::RemoveService{service(vip)});
  steps.push_back(too_much_egress());
  const auto refusal = live.refused(steps);
  CHECK_FALSE(refusal.step.has_value());
  CHECK_FALSE(refusal.reason.empty());
  CHECK(live.every_worker_has(vip));
  CHECK_FALSE(live.every_worker_has(other_vip));
  CHECK(live.owner(syn(1, vip)) == host::bpf::STEAL_TAKEN);
  CHECK(live.owner(syn(1, other_vip)) == host::bpf::STEAL_NOTHING);
  // The next plan is carried out.
  live.apply(one_service(other_vip));
  CHECK(live.every_worker_has(other_vip));
  CHECK(live.owner(syn(1, other_vip)) == host::bpf::STEAL_TAKEN);
}

TEST_CASE("an aborted plan changes nothing, and a committed plan is in force on every worker") {
  if (!is_root()) return;
  const Namespaces namespaces;
  Live live;
  live.apply(one_service());
  live.start();
  LiveDirector::Refusal refusal;
  auto steps = one_service(other_vip);
  steps.push_back(engine::RemoveService{service(vip)});
  REQUIRE(live.live->prepare(steps, refusal));
  CHECK(live.every_worker_has(vip));
  CHECK_FALSE(live.every_worker_has(other_vip));
  CHECK(live.owner(syn(1, vip)) == host::bpf::STEAL_TAKEN);
  CHECK_FALSE(live.live->prepare({}, refusal));
  CHECK(refusal.remedy == "commit or abort it first");
  live.live->abort();
  CHECK(live.owner(syn(1, vip)) == host::bpf::STEAL_TAKEN);
  CHECK(live.owner(syn(1, other_vip)) == host::bpf::STEAL_NOTHING);

  REQUIRE(live.live->prepare(steps, refusal));
  live.live->commit();
  CHECK_FALSE(live.every_worker_has(vip));
  CHECK(live.every_worker_has(other_vip));
  CHECK(live.owner(syn(1, vip)) == host::bpf::STEAL_NOTHING);
  CHECK(live.owner(syn(1, other_vip)) == host::bpf::STEAL_TAKEN);
  live.live->commit();
  live.live->abort();
  CHECK(live.every_worker_has(other_vip));
}

TEST_CASE("replies of a removed server are the director's while flows point at it") {
  if (!is_root()) return;
  const Namespaces namespaces;
  Live live;
  live.apply(one_service());
  live.start();
  CHECK(live.owner(reply()) == host::bpf::STEAL_TAKEN);
  send_syns(namespaces, 1);
  REQUIRE(await([&] { return live.connections() == 1; }));
  live.apply({engine::RemoveServer{service(vip), address(server_address), 8080}});
  CHECK(live.owner(reply()) == host::bpf::STEAL_TAKEN);
  live.apply({engine::AddServer{nat_server(vip)}});
  CHECK(live.owner(reply()) == host::bpf::STEAL_TAKEN);
}

TEST_CASE("replies of a server that is in the mode nat no more are the director's while flows of that mode last") {
  if (!is_root()) return;
  const Namespaces namespaces;
  Live live;
  live.apply(one_service());
  live.start();
  engine::EditServer edit{service(vip), nat_server(vip).settings};
  edit.settings.forwarding = director::Forwarding::dr;
  live.apply({edit});
  CHECK(live.owner(reply()) == host::bpf::STEAL_NOTHING);
  edit.settings.forwarding = director::Forwarding::nat;
  live.apply({edit});
  send_syns(namespaces, 1);
  REQUIRE(await([&] { return live.connections() == 1; }));
  edit.settings.forwarding = director::Forwarding::dr;
  live.apply({edit});
  CHECK(live.owner(reply()) == host::bpf::STEAL_TAKEN);
  // Another server in that mode, another change: it stays so.
  live.apply(one_service(other_vip));
  live.apply({engine::RemoveService{service(other_vip)}});
  CHECK(live.owner(reply()) == host::bpf::STEAL_TAKEN);
}

TEST_CASE("replies of a removed server without flows are the host's") {
  if (!is_root()) return;
  const Namespaces namespaces;
  Live live;
  live.apply(one_service());
  live.start();
  live.apply({engine::RemoveServer{service(vip), address(server_address), 8080}});
  CHECK(live.owner(reply()) == host::bpf::STEAL_NOTHING);
}

TEST_CASE("ports that a pool has given up are the host's again") {
  if (!is_root()) return;
  const Namespaces namespaces;
  Live live;
  live.start();
  const auto pool = [](uint16_t first, uint16_t last) {
    return engine::SetPool{1, {{address("10.9.0.1")}, first, last}};
  };
  const auto to_port = [&](uint16_t port) {
    return live.owner(ethernet({.source = outside_mac, .destination = inside_mac})
                          .ipv4({.source = server_address, .destination = "10.9.0.1"})
                          .udp({.source_port = 53, .destination_port = port})
                          .build());
  };
  live.apply({pool(10000, 19999)});
  CHECK(to_port(15000) == host::bpf::STEAL_TAKEN);
  live.apply({pool(40000, 49999)});
  CHECK(to_port(45000) == host::bpf::STEAL_TAKEN);
  CHECK(to_port(30000) == host::bpf::STEAL_NOTHING);
  CHECK(to_port(15000) == host::bpf::STEAL_NOTHING);
}

TEST_CASE("the limit of flows is divided among the workers and holds for all together") {
  if (!is_root()) return;
  const Namespaces namespaces;
  Live live;
  auto steps = one_service();
  steps.push_back(engine::SetLimits{10, 0, fragment_limit});
  live.apply(steps);
  live.start();
  constexpr uint16_t syns = 200;
  send_syns(namespaces, syns);
  REQUIRE(await([&] { return live.count(engine::Counter::packets_flow_limit) == syns - 10; }));
  CHECK(live.connections(0).size() == 5);
  CHECK(live.connections(1).size() == 5);
  CHECK(live.refused({engine::SetLimits{flow_limit + 1, 0, fragment_limit}}).step == 0);
  CHECK(live.refused({engine::SetLimits{flow_limit, 0, fragment_limit + 1}}).step == 0);
  live.apply({engine::SetLimits{flow_limit, 0, fragment_limit}});
}

TEST_CASE("the table of connections is read in parts, each flow once, while others begin and end") {
  if (!is_root()) return;
  const Namespaces namespaces;
  Live live;
  live.apply(one_service());
  live.start();
  constexpr uint16_t flows = 300;
  send_syns(namespaces, flows);
  REQUIRE(await([&] { return live.connections() == flows; }));
  std::set<uint16_t> ports;
  std::thread changes([&] {
    for (int i = 0; i < 50; i++) {
      live.apply(one_service(other_vip));
      live.apply({engine::RemoveService{service(other_vip)}});
    }
  });
  size_t read = 0;
  for (size_t worker = 0; worker < 2; worker++) {
    for (const engine::Connection& connection : live.connections(worker)) {
      read++;
      ports.insert(connection.client.port);
      CHECK(connection.virtual_service.port == 80);
      CHECK(connection.server.address == address(server_address));
    }
  }
  changes.join();
  CHECK(read == flows);
  CHECK(ports.size() == flows);
  CHECK(live.count(engine::Counter::longest_visit_nanoseconds) > 0);
}
