// SPDX-License-Identifier: Apache-2.0
// Which connections a filter wants, and their end.
#include "engine/connections.h"

#include "live_fixture.h"

using namespace sluice;
using namespace sluice::test;
using engine::ConnectionFilter;

namespace {

size_t count(Live& live, const ConnectionFilter& filter) {
  std::vector<engine::Connection> all;
  for (size_t i = 0; i < live.live->workers(); i++) {
    for (std::optional<engine::ConnectionCursor> at = 0; at;) {
      engine::DirectorWorker::Visit visit(live.live->worker(i));
      at = engine::read_connections(visit.director(), visit.now(), *at, 7, all, filter);
    }
  }
  return all.size();
}

uint32_t end(Live& live, const ConnectionFilter& filter) {
  uint32_t ended = 0;
  for (size_t i = 0; i < live.live->workers(); i++) {
    for (std::optional<engine::ConnectionCursor> at = 0; at;) {
      engine::DirectorWorker::Visit visit(live.live->worker(i));
      at = engine::end_connections(visit.director(), *at, 7, ended, filter);
    }
  }
  return ended;
}

}  // namespace

TEST_CASE("connections that a filter wants are listed, and ended") {
  if (!is_root()) return;
  const Namespaces namespaces;
  Live live;
  live.apply(one_service());
  live.start();
  send_syns(namespaces, 40);
  REQUIRE(await([&] { return live.connections() == 40; }));
  CHECK(count(live, {}) == 40);
  CHECK(count(live, {.service = service(vip)}) == 40);
  CHECK(count(live, {.server = address(server_address), .server_port = 8080}) == 40);
  CHECK(count(live, {.protocol = wire::protocol::tcp}) == 40);
  CHECK(count(live, {.state = "SYN_RECV"}) == 40);
  for (const ConnectionFilter& other :
       {ConnectionFilter{.service = service(other_vip)}, ConnectionFilter{.client = address("10.9.0.77")},
        ConnectionFilter{.server = address(other_vip)}, ConnectionFilter{.server_port = 8081},
        ConnectionFilter{.protocol = wire::protocol::udp}, ConnectionFilter{.state = "ESTABLISHED"}}) {
    CHECK(count(live, other) == 0);
    CHECK(end(live, other) == 0);
  }
  CHECK(end(live, {.server = address(server_address)}) == 40);
  CHECK(live.connections() == 0);
  // The server has no connections any more, and can be removed at once.
  live.apply({engine::RemoveServer{service(vip), address(server_address), 8080}});
  engine::DirectorWorker::Visit visit(live.live->worker(0));
  CHECK_FALSE(
      visit.director().services().has_flows(service(vip), address(server_address), 8080, director::Forwarding::nat));
}
