// SPDX-License-Identifier: Apache-2.0
// A real server that is this host.
#include <arpa/inet.h>
#include <netinet/in.h>

#include <thread>

#include "engine/live_director.h"
#include "live_fixture.h"

using namespace sluice;
using namespace sluice::test;
using engine::LiveDirector;
using engine::PlanStep;

namespace {

constexpr uint16_t local_port = 8080;

sockaddr_in ipv4_address(const char* host, uint16_t port) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  REQUIRE(inet_pton(AF_INET, host, &to.sin_addr) == 1);
  return to;
}

// Tells each connection whom it sees.
class WhoIsThere {
 public:
  WhoIsThere() {
    const sockaddr_in here = ipv4_address("0.0.0.0", local_port);
    REQUIRE(bind(socket_.get(), reinterpret_cast<const sockaddr*>(&here), sizeof here) == 0);
    REQUIRE(listen(socket_.get(), 8) == 0);
    thread_ = std::thread([this] { serve(); });
  }
  ~WhoIsThere() {
    shutdown(socket_.get(), SHUT_RDWR);
    thread_.join();
  }

 private:
  void serve() const {
    for (;;) {
      sockaddr_in peer{};
      socklen_t length = sizeof peer;
      const host::Descriptor connection(accept(socket_.get(), reinterpret_cast<sockaddr*>(&peer), &length));
      if (!connection) return;
      char text[INET_ADDRSTRLEN] = {};
      inet_ntop(AF_INET, &peer.sin_addr, text, sizeof text);
      static_cast<void>(!write(connection.get(), text, strlen(text)));
    }
  }

  host::Descriptor socket_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  std::thread thread_;
};

// Whom the server sees; or why there was no answer.
std::string who_am_i(const Namespaces& namespaces, const char* to, uint16_t port) {
  std::string answer;
  namespaces.outside([&] {
    const host::Descriptor client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const timeval patience = {.tv_sec = 10, .tv_usec = 0};
    setsockopt(client.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(client.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    const sockaddr_in there = ipv4_address(to, port);
    char text[INET_ADDRSTRLEN] = {};
    if (connect(client.get(), reinterpret_cast<const sockaddr*>(&there), sizeof there) != 0 ||
        read(client.get(), text, sizeof text - 1) <= 0) {
      answer = std::strerror(errno);
      return;
    }
    answer = text;
  });
  return answer;
}

// The service on this host alone. FULLNAT reaches it from the pool's address.
std::vector<PlanStep> local_service(director::Forwarding forwarding, const char* pool) {
  director::ServiceSettings settings;
  settings.pool = 1;
  director::DestinationSettings server;
  server.address = address("10.9.0.1");
  server.port = local_port;
  server.forwarding = forwarding;
  return {engine::SetPool{1, {{address(pool)}, 20000, 20999}}, engine::AddService{service(vip), settings},
          engine::AddServer{service(vip), server}};
}

}  // namespace

TEST_CASE("a real server that is this host is reached by every mode that translates, and directly at the same time") {
  if (!is_root()) return;
  using director::Forwarding;
  struct Case {
    Forwarding forwarding;
    const char* pool;  // an address that the host has not, or has too
    const char* seen;
  };
  for (const Case& each : {Case{Forwarding::nat, "10.9.0.200", "10.9.0.2"},
                           {Forwarding::fullnat, "10.9.0.200", "10.9.0.200"},
                           {Forwarding::fullnat, "10.9.0.1", "10.9.0.1"}}) {
    CAPTURE(static_cast<int>(each.forwarding));
    CAPTURE(each.pool);
    const Namespaces namespaces;
    const WhoIsThere server;
    Live live;
    live.apply(local_service(each.forwarding, each.pool));
    live.start();
    // Clients of either worker.
    for (int i = 0; i < 8; i++) {
      CHECK(who_am_i(namespaces, vip, 80) == each.seen);
      CHECK(who_am_i(namespaces, "10.9.0.1", local_port) == "10.9.0.2");
    }
  }
}

TEST_CASE("a real server becomes this host when the host gets its address") {
  if (!is_root()) return;
  const Namespaces namespaces;
  const WhoIsThere server;
  Live live;
  auto steps = local_service(director::Forwarding::nat, "10.9.0.200");
  std::get<engine::AddServer>(steps.back()).settings.address = address("10.9.0.3");
  live.apply(steps);
  live.start();
  shell("ip address add 10.9.0.3/32 dev lo");
  CHECK(await([&] { return who_am_i(namespaces, vip, 80) == "10.9.0.2"; }));
}

TEST_CASE(
    "a flow is translated for the host's stack, whose real server has become this host, before its client speaks") {
  if (!is_root()) return;
  const Namespaces namespaces;
  Live live;
  director::ServiceKey key = service(vip);
  key.protocol = wire::protocol::udp;
  director::DestinationSettings server;
  server.address = address("10.9.0.3");
  server.port = local_port;
  server.forwarding = director::Forwarding::nat;
  live.apply({engine::AddService{key, {}}, engine::AddServer{key, server}});
  live.start();
  std::optional<FrameSocket> client;
  namespaces.outside([&] { client.emplace("x0"); });
  client->send(ethernet({.source = outside_mac, .destination = inside_mac})
                   .ipv4({.source = "10.9.0.2", .destination = vip})
                   .udp({.source_port = 1234, .destination_port = 80})
                   .build());
  CHECK(await([&] { return live.connections() == 1; }));

  shell("ip address add 10.9.0.3/32 dev lo");
  const host::Descriptor program(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const sockaddr_in here = ipv4_address("10.9.0.3", local_port), there = ipv4_address("10.9.0.2", 1234);
  REQUIRE(bind(program.get(), reinterpret_cast<const sockaddr*>(&here), sizeof here) == 0);
  const auto is_from_service = [](const Buffer& frame) {
    wire::Packet packet;
    if (wire::dissect(frame, packet) != wire::Malformed::ok || packet.protocol != wire::protocol::udp) return false;
    return wire::Ipv4View(wire::Bytes(frame).subspan(packet.l3)).source() == address(vip).v4();
  };
  CHECK(await([&] {
    constexpr int milliseconds = 100;
    sendto(program.get(), "x", 1, 0, reinterpret_cast<const sockaddr*>(&there), sizeof there);
    return !client->receive(is_from_service, milliseconds).empty();
  }));
}
