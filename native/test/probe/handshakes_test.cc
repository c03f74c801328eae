// SPDX-License-Identifier: Apache-2.0
// Connections that travel as the packets of a service, between two networks of this process: this host, and a real
// server on its link that the kernel's TCP plays.
#include "port/private_network.h"
#include "prober_fixture.h"

using namespace sluice;
using namespace sluice::test;
using probe::EventKind;
using Kinds = std::vector<EventKind>;

namespace {

constexpr const char *service4 = "198.51.100.10", *service6 = "2001:db8:f::10";
constexpr const char *server4 = "10.9.0.2", *server6 = "2001:db8:9::2";

class Networks {
 public:
  Networks() {
    run("ip link add d0 type veth peer name d1 && ip link set d1 netns " + server.path());
    server.enter();
    run("ip link set d1 up && ip address add 10.9.0.2/24 dev d1 && ip address add 2001:db8:9::2/64 dev d1 nodad");
    home.enter();
    run("ip link set d0 up && ip address add 10.9.0.1/24 dev d0 && ip address add 2001:db8:9::1/64 dev d0 nodad");
  }
  void at_server(const std::string& commands) const {
    server.enter();
    run(commands);
    home.enter();
  }
  Server listening(const char* address) const {
    server.enter();
    Server listens(SOCK_STREAM, address);
    home.enter();
    return listens;
  }
  static void run(const std::string& commands) { port::NetworkNamespace::run(commands); }

 private:
  struct Ipv6Namespace : port::NetworkNamespace {
    Ipv6Namespace() {
      port::write_file("/proc/sys/net/ipv6/conf/default/disable_ipv6", "0");
      port::write_file("/proc/sys/net/ipv6/conf/all/disable_ipv6", "0");
    }
  };
  Ipv6Namespace server, home;
};

probe::Request travel(const char* service, uint16_t port, const char* server,
                      probe::Wrapping wrapping = probe::Wrapping::none, Time timeout = patient) {
  probe::Request wanted = request(probe::Protocol::tcp, service, port);
  wanted.connect_only = true;
  wanted.timeout = timeout;
  wanted.way = {.server = *probe::SocketAddress::parse(server, 0), .wrapping = wrapping, .gue_port = 6080};
  return wanted;
}

Story story_of(const probe::Request& wanted) {
  Probing probing;
  const probe::Id id = probing.prober.start(wanted);
  probing.until_idle();
  return probing.stories[id];
}

const Kinds connected = {EventKind::connected}, failed = {EventKind::failed}, timeout = {EventKind::timeout};

}  // namespace

TEST_CASE("a frame reaches the service's address at the server, whose link-layer address is not known before") {
  if (!port::can_make_networks()) return;
  const Networks networks;
  networks.at_server(
      "ip address add 198.51.100.10/32 dev lo && ip address add 2001:db8:f::10/128 dev lo nodad && "
      "ip route add default via 10.9.0.1");
  const Server at4 = networks.listening(service4), at6 = networks.listening(service6);
  CHECK(story_of(travel(service4, at4.port(), server4)).kinds == connected);
  CHECK(story_of(travel(service6, at6.port(), server6)).kinds == connected);

  SUBCASE("also when this host has the service's address itself") {
    Networks::run("ip address add 198.51.100.10/32 dev lo && ip address add 2001:db8:f::10/128 dev lo nodad");
    CHECK(story_of(travel(service4, at4.port(), server4)).kinds == connected);
    CHECK(story_of(travel(service6, at6.port(), server6)).kinds == connected);
  }
  SUBCASE("many at once") {
    constexpr size_t count = 300;
    Probing probing;
    for (size_t i = 0; i < count; i++) probing.prober.start(travel(service4, at4.port(), server4));
    probing.until_idle();
    CHECK(probing.stories.size() == count);
    for (const auto& [id, story] : probing.stories) CHECK(story.kinds == connected);
  }
  SUBCASE("the connection is taken back") {
    pollfd waiting = {at4.fd(), POLLIN, 0};
    CHECK(poll(&waiting, 1, 0) == 0);
  }
}

TEST_CASE("a server without the service's address does not answer, though its own address does") {
  if (!port::can_make_networks()) return;
  const Networks networks;
  const Server everywhere = networks.listening("0.0.0.0");
  probe::Request direct = request(probe::Protocol::tcp, server4, everywhere.port());
  direct.connect_only = true;
  CHECK(story_of(direct).kinds == connected);
  CHECK(story_of(travel(service4, everywhere.port(), server4, probe::Wrapping::none, 100 * millisecond)).kinds ==
        timeout);
}

TEST_CASE("a closed port is refused") {
  if (!port::can_make_networks()) return;
  const Networks networks;
  networks.at_server("ip address add 198.51.100.10/32 dev lo && ip address add 2001:db8:f::10/128 dev lo nodad");
  for (const auto& [service, server] : {std::pair(service4, server4), std::pair(service6, server6)}) {
    const Story story = story_of(travel(service, 9, server));
    CHECK(story.kinds == failed);
    CHECK(story.error == ECONNREFUSED);
  }
}

// The kernels of the tests cannot unwrap: they answer as a real server without the tunnel's module does.
TEST_CASE("a server that does not unwrap is found by its ICMP error") {
  if (!port::can_make_networks()) return;
  const Networks networks;
  using probe::Wrapping;
  const auto error_of = [](Wrapping wrapping, const char* service, const char* server) {
    const Story story = story_of(travel(service, 80, server, wrapping));
    CHECK(story.kinds == failed);
    return story.error;
  };
  CHECK(error_of(Wrapping::ipip, service4, server4) == ENOPROTOOPT);
  CHECK(error_of(Wrapping::gre, service4, server4) == ENOPROTOOPT);
  CHECK(error_of(Wrapping::gue, service4, server4) == ECONNREFUSED);
  CHECK(error_of(Wrapping::gue, service6, server6) == ECONNREFUSED);
  CHECK(error_of(Wrapping::gre, service6, server6) == EPROTO);
}

TEST_CASE("a server that no frame can reach") {
  if (!port::can_make_networks()) return;
  const Networks networks;
  CHECK(story_of(travel(service4, 80, "192.0.2.1")).error == ENETUNREACH);
  Networks::run("ip route add 192.0.2.0/24 via 10.9.0.2");
  CHECK(story_of(travel(service4, 80, "192.0.2.1")).error == ENETUNREACH);  // behind a gateway
  CHECK(story_of(travel(service4, 80, "10.9.0.1")).error == ELOOP);         // this host
  CHECK(story_of(travel(service6, 80, server4)).error == EAFNOSUPPORT);
  CHECK(story_of(travel(service4, 80, "10.9.0.3", probe::Wrapping::none, 100 * millisecond)).kinds == timeout);
}

// More than one batch has room for: the fixture looks at the size of each.
TEST_CASE("all that wait for a server that nobody has found are told, in several batches") {
  if (!port::can_make_networks()) return;
  const Networks networks;
  // An address that nobody has is known to be one after a second in place of three.
  REQUIRE(port::write_file("/proc/sys/net/ipv4/neigh/d0/mcast_solicit", "1"));
  constexpr size_t count = 3000;
  Probing probing;
  for (size_t i = 0; i < count; i++) probing.prober.start(travel(service4, 80, "10.9.0.3"));
  probing.until_idle();
  CHECK(probing.stories.size() == count);
  for (const auto& [id, story] : probing.stories) {
    CHECK(story.kinds == failed);
    CHECK(story.error == EHOSTUNREACH);
  }
}

TEST_CASE("more SYNs than the sockets have room for are sent a little later") {
  if (!port::can_make_networks()) return;
  const Networks networks;
  networks.at_server("ip address add 198.51.100.10/32 dev lo && ip route add default via 10.9.0.1");
  const Server at4 = networks.listening(service4);
  Networks::run("tc qdisc add dev d0 root tbf rate 20mbit burst 4kb latency 1s");
  constexpr size_t count = 1500;
  Probing probing;
  for (size_t i = 0; i < count; i++) probing.prober.start(travel(service4, at4.port(), server4));
  probing.until_idle();
  for (const auto& [id, story] : probing.stories) CHECK(story.kinds == connected);
}

TEST_CASE("only a connection that is opened can travel so") {
  if (!port::can_make_networks()) return;
  const Networks networks;
  probe::Request wanted = travel(service4, 80, server4);
  wanted.connect_only = false;
  CHECK(story_of(wanted).error == EINVAL);
}

TEST_CASE("an exchange that is ended is forgotten, and its answer with it") {
  if (!port::can_make_networks()) return;
  const Networks networks;
  networks.at_server("ip address add 198.51.100.10/32 dev lo");
  const Server at4 = networks.listening(service4);
  Probing probing;
  const probe::Id ended = probing.prober.start(travel(service4, at4.port(), server4));
  probing.prober.end(ended);
  const probe::Id other = probing.prober.start(travel(service4, at4.port(), server4));
  probing.until_idle();
  CHECK(probing.stories[ended].kinds.empty());
  CHECK(probing.stories[other].kinds == connected);
}
