// SPDX-License-Identifier: Apache-2.0
#include <fstream>

#include "port/private_network.h"
#include "prober_fixture.h"

using namespace sluice;
using namespace sluice::test;
using probe::EventKind;
using probe::Protocol;
using Kinds = std::vector<EventKind>;

namespace {

probe::Request ask(const std::string& address, uint16_t port, std::string_view text) {
  probe::Request wanted = request(Protocol::udp, address, port);
  wanted.sends = true;
  wanted.bytes = bytes_of(text);
  return wanted;
}

// A network of this process alone: IPv4 and IPv6 on the loopback interface, a device that leads nowhere, and ping
// sockets for whom `groups` allows.
void enter_network(const char* groups) {
  REQUIRE(unshare(CLONE_NEWNET) == 0);
  port::NetworkNamespace::run(
      "ip link set lo up && ip link add d0 type veth peer name d1 && ip link set d0 up && ip link set d1 up && "
      "ip address add 10.9.0.1/24 dev d0 && ip address add 2001:db8:9::1/64 dev d0 nodad");
  REQUIRE(port::write_file("/proc/sys/net/ipv4/ping_group_range", groups));
  // An address that nobody has is known to be one after a second in place of three.
  REQUIRE(port::write_file("/proc/sys/net/ipv4/neigh/d0/mcast_solicit", "1"));
  REQUIRE(port::write_file("/proc/sys/net/ipv6/neigh/d0/mcast_solicit", "1"));
}

constexpr const char* everybody = "0 2147483647";
constexpr const char* nobody = "1 0";

}  // namespace

TEST_CASE("datagrams are answered, more than once") {
  for (const char* address : {"127.0.0.1", "::1"}) {
    CAPTURE(address);
    const Server server(SOCK_DGRAM, address);
    Probing probing;
    const std::string question = "question", more = "more";
    const probe::Id id = probing.prober.start(ask(address, server.port(), question));
    char text[100];
    sockaddr_storage from = {};
    socklen_t size = sizeof from;
    const auto answer = [&](const std::string& expected) {
      const ssize_t length = recvfrom(server.fd(), text, sizeof text, 0, reinterpret_cast<sockaddr*>(&from), &size);
      REQUIRE(length == static_cast<ssize_t>(expected.size()));
      CHECK(std::string(text, expected.size()) == expected);
      for (const char* one : {"a", "", "bc"}) {
        REQUIRE(sendto(server.fd(), one, strlen(one), 0, reinterpret_cast<sockaddr*>(&from), size) >= 0);
      }
    };
    answer(question);
    // Three datagrams, one of them empty.
    probing.until([&] { return probing.stories[id].kinds.size() == 3; });
    probing.prober.send(id, bytes_of(more));
    answer(more);
    probing.until([&] { return probing.stories[id].kinds.size() == 6; });
    CHECK(probing.stories[id].bytes == "abcabc");
    probing.prober.end(id);
    CHECK(probing.prober.running() == 0);
  }
}

TEST_CASE("datagrams of others are not taken for the answer") {
  const Server server(SOCK_DGRAM), other(SOCK_DGRAM);
  Probing probing;
  const std::string question = "q";
  const probe::Id id = probing.prober.start(ask("127.0.0.1", server.port(), question));
  char text[10];
  sockaddr_storage from = {};
  socklen_t size = sizeof from;
  REQUIRE(recvfrom(server.fd(), text, sizeof text, 0, reinterpret_cast<sockaddr*>(&from), &size) == 1);
  REQUIRE(sendto(other.fd(), "bad", 3, 0, reinterpret_cast<sockaddr*>(&from), size) == 3);
  REQUIRE(sendto(server.fd(), "good", 4, 0, reinterpret_cast<sockaddr*>(&from), size) == 4);
  probing.until(id, EventKind::data);
  CHECK(probing.stories[id].bytes == "good");
}

TEST_CASE("a refused datagram fails with ECONNREFUSED, a silent target times out") {
  const Server silent(SOCK_DGRAM);
  uint16_t unused = 0;
  { unused = Server(SOCK_DGRAM).port(); }
  Probing probing;
  const std::string question = "q";
  const probe::Id refused = probing.prober.start(ask("127.0.0.1", unused, question));
  probe::Request wanted = ask("127.0.0.1", silent.port(), question);
  wanted.timeout = 50 * millisecond;
  const probe::Id unanswered = probing.prober.start(wanted);
  probing.until_idle();
  CHECK(probing.stories[refused].kinds == Kinds{EventKind::failed});
  CHECK(probing.stories[refused].error == ECONNREFUSED);
  CHECK(probing.stories[unanswered].kinds == Kinds{EventKind::timeout});
}

TEST_CASE("pings are answered by ping sockets and by raw sockets") {
  if (!port::can_make_networks()) return;
  for (const char* groups : {everybody, nobody}) {
    CAPTURE(groups);
    enter_network(groups);
    Probing probing;
    std::vector<probe::Id> ids;
    for (const char* address : {"127.0.0.1", "::1", "10.9.0.1", "127.0.0.1"}) {
      ids.push_back(probing.prober.start(request(Protocol::ping, address)));
    }
    for (const probe::Id id : ids) {
      probing.until(id, EventKind::data);
      CHECK(probing.stories[id].kinds == Kinds{EventKind::data});
      CHECK(probing.stories[id].bytes.size() == 32);
      probing.prober.end(id);
    }
    CHECK(probing.stories[ids[0]].bytes != probing.stories[ids[3]].bytes);
    CHECK(probing.prober.running() == 0);
  }
}

TEST_CASE("a ping, a datagram and a connection to an address that nobody has fail with EHOSTUNREACH") {
  if (!port::can_make_networks()) return;
  for (const char* groups : {everybody, nobody}) {
    enter_network(groups);
    Probing probing;
    const std::string question = "q";
    for (const char* address : {"10.9.0.77", "2001:db8:9::77"}) {
      probing.prober.start(request(Protocol::ping, address));
      probing.prober.start(ask(address, 53, question));
      probing.prober.start(request(Protocol::tcp, address, 80));
    }
    probing.until_idle();
    CHECK(probing.stories.size() == 6);
    for (const auto& [id, story] : probing.stories) {
      CHECK(story.kinds == Kinds{EventKind::failed});
      CHECK(story.error == EHOSTUNREACH);
    }
  }
}

TEST_CASE("an address without a route fails with ENETUNREACH") {
  if (!port::can_make_networks()) return;
  enter_network(nobody);
  Probing probing;
  const std::string question = "q";
  probing.prober.start(request(Protocol::ping, "198.51.100.1"));
  probing.prober.start(ask("198.51.100.1", 53, question));
  probing.prober.start(request(Protocol::tcp, "198.51.100.1", 80));
  CHECK(probing.stories.empty());  // nothing is reported before somebody collects
  probing.until_idle();
  CHECK(probing.stories.size() == 3);
  for (const auto& [id, story] : probing.stories) {
    CHECK(story.kinds == Kinds{EventKind::failed});
    CHECK(story.error == ENETUNREACH);
  }
}

TEST_CASE("a link-local address needs its zone") {
  if (!port::can_make_networks()) return;
  enter_network(everybody);
  port::NetworkNamespace::run("ip address add fe80::99/64 dev d0 nodad");
  Probing probing;
  const probe::Id without = probing.prober.start(request(Protocol::ping, "fe80::99"));
  probing.until(without, EventKind::failed);
  // On a busy machine the address can be used only a moment after it was added.
  bool is_answered = false;
  for (int attempt = 0; attempt < 20 && !is_answered; attempt++) {
    const probe::Id with = probing.prober.start(request(Protocol::ping, "fe80::99%d0"));
    probing.until([&] { return !probing.stories[with].kinds.empty(); });
    is_answered = probing.stories[with].has(EventKind::data);
    if (!is_answered) usleep(100'000);
  }
  CHECK(is_answered);
}

TEST_CASE("the text of an address is an address, with a zone only for IPv6") {
  using probe::SocketAddress;
  CHECK(SocketAddress::parse("192.0.2.1", 80)->family() == AF_INET);
  CHECK(SocketAddress::parse("2001:db8::1", 80)->family() == AF_INET6);
  CHECK(SocketAddress::parse("fe80::1%lo", 0)->family() == AF_INET6);
  CHECK(SocketAddress::parse("fe80::1%7", 0)->family() == AF_INET6);
  for (const char* wrong : {"", "localhost", "192.0.2", "192.0.2.1%lo", "fe80::1%", "%lo", "::1 ", "192.0.2.1:80"}) {
    CAPTURE(wrong);
    CHECK_FALSE(SocketAddress::parse(wrong, 0));
  }
  CHECK(SocketAddress().is_unspecified());
}
