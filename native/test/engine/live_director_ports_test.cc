// SPDX-License-Identifier: Apache-2.0
// Ports of a live director whose interfaces and rings change.
#include <thread>

#include "engine/live_director.h"
#include "live_fixture.h"

using namespace sluice;
using namespace sluice::test;
using engine::LiveDirector;
using engine::PlanStep;

TEST_CASE("packets meet the worker that has their flow after the ring of a worker was stuck") {
  if (!is_root()) return;
  const Namespaces namespaces;
  const Tap tap;
  Live live(nullptr, {"b0", "tap0"});
  live.apply(one_service());
  director::ServiceKey datagrams = service(vip);
  datagrams.protocol = wire::protocol::udp;
  live.apply({engine::AddService{datagrams, {}}});
  live.start();
  // Of worker 0: if the kernel put its ring behind the other one, the two would change places.
  uint16_t client_port = 10000;
  while (live.explain(Tap::addressed(syn(client_port)), 1).worker != 0) client_port++;
  tap.write(Tap::addressed(syn(client_port)));
  REQUIRE(await([&] { return live.connections(0).size() == 1; }));
  // The kernel cannot describe a datagram that is still to be cut to the ring.
  const Buffer payload(4000);
  uint16_t port = 1;
  const auto datagram = [&] {
    return Tap::addressed(ethernet({.source = outside_mac, .destination = inside_mac})
                              .ipv4({.source = server_address, .destination = vip})
                              .udp({.source_port = port, .destination_port = 80})
                              .payload(payload)
                              .build());
  };
  while (live.explain(datagram(), 1).worker != 0) port++;
  tap.write(datagram(), {.flags = 1,
                         .segmentation = 3,
                         .header_length = 42,
                         .segment_size = 1480,
                         .checksum_start = 34,
                         .checksum_offset = 6});
  const uint64_t before = live.count(0, engine::Counter::frames_received);
  const bool is_mended = await([&] {
    tap.write(Tap::addressed(syn(client_port)));
    return live.count(0, engine::Counter::frames_received) >= before + 10;
  });
  CHECK(is_mended);
  CHECK(live.connections(0).size() == 1);
  CHECK(live.connections(1).empty());
}

TEST_CASE("a worker refuses a step while a port is opened again, and neither waits for the other for ever") {
  if (!is_root()) return;
  const Namespaces namespaces;
  shell(make_d0);
  Live live(nullptr, {"b0", "d0"});
  live.apply(one_service());
  live.start();
  std::atomic<bool> is_over = false;
  std::thread interfaces([&] {
    for (int i = 0; i < 20; i++) shell(std::string("ip link del d0 && ") + make_d0);
    is_over = true;
  });
  while (!is_over) {
    {
      engine::DirectorWorker::Visit visit(live.live->worker(0));
      visit.change_services().services().add_service(service(other_vip), {});
    }
    live.apply({engine::AddService{service(other_vip), {}}});
    live.apply({engine::RemoveService{service(other_vip)}});
  }
  interfaces.join();
  const auto notices = live.live->notices();
  CHECK(std::ranges::count_if(notices, [](const std::string& notice) {
          return notice.find("refused a step that was tried before (service-exists)") != std::string::npos;
        }) == 1);
}

TEST_CASE("a port that cannot be opened is tried again until it can") {
  if (!is_root()) return;
  const Namespaces namespaces;
  shell(make_d0);
  Live live(nullptr, {"b0", "d0"});
  live.apply(one_service());
  live.start();
  const auto is_up = [&] { return live.live->ports()[1].is_up; };
  shell("ip link del d0");
  REQUIRE(await([&] { return !is_up(); }));
  REQUIRE(live.live->notices().empty());
  {
    const FewMoreFiles no_more_files(0);
    shell(make_d0);
    CHECK(await([&] { return live.live->notices().size() == 1; }));
  }
  // Nothing changes on the host any more.
  CHECK(await([&] { return live.live->notices().empty() && is_up(); }));
}
