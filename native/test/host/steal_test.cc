// SPDX-License-Identifier: Apache-2.0
// Stealing between two real TCP/IP stacks: what the host's stack answers, and what the packet socket receives.
#include "host/steal.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/wait.h>

#include <atomic>

#include "namespace.h"
#include "plain_traffic.h"

using namespace sluice;
using test::address;
using test::ethernet;
using test::output;
using test::shell;

namespace {

constexpr uint16_t service_port = 8080, ssh_port = 2222;

test::PlainTraffic owned_traffic() {
  test::PlainTraffic all;
  // The host has the first address; nobody has the second.
  for (const char* vip : {"10.9.0.1", "10.9.0.100", "2001:db8:9::1"}) {
    all.services.push_back({address(vip), service_port, wire::protocol::tcp});
    all.services.push_back({address(vip), service_port, wire::protocol::udp});
  }
  all.host_addresses = {address("10.9.0.1"), address("2001:db8:9::1")};
  return all;
}

std::unique_ptr<host::Steal> steal(const test::Namespaces& namespaces, host::StealWay way) {
  host::Failure failure;
  const std::array<uint32_t, 1> interfaces = {namespaces.interface()};
  auto stealing = host::Steal::attach(interfaces, way, failure);
  INFO(failure.message);
  REQUIRE(stealing != nullptr);
  const bool is_updated = stealing->update(owned_traffic(), failure);
  INFO(failure.message);
  REQUIRE(is_updated);
  return stealing;
}

sockaddr_in6 socket_address(const char* text, uint16_t port) {
  sockaddr_in6 to{};
  to.sin6_family = AF_INET6;
  to.sin6_port = htons(port);
  REQUIRE(inet_pton(AF_INET6, text, &to.sin6_addr) == 1);
  return to;
}

// The result of a client's connect(): 0, or an errno; EINPROGRESS if nobody answers for some time. IPv4 addresses are
// written as ::ffff:a.b.c.d.
int connect_from_outside(const test::Namespaces& namespaces, const char* to, uint16_t port, int milliseconds) {
  int outcome = 0;
  namespaces.outside([&] {
    const host::Descriptor client(socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const sockaddr_in6 there = socket_address(to, port);
    if (connect(client.get(), reinterpret_cast<const sockaddr*>(&there), sizeof there) == 0) return;
    outcome = errno;
    pollfd ready = {client.get(), POLLOUT, 0};
    if (poll(&ready, 1, milliseconds) <= 0) return;
    socklen_t length = sizeof outcome;
    REQUIRE(getsockopt(client.get(), SOL_SOCKET, SO_ERROR, &outcome, &length) == 0);
  });
  return outcome;
}

// Long enough for an answer over a veth pair, and shorter than the first retransmission.
constexpr int a_while = 300;

void send_udp_from_outside(const test::Namespaces& namespaces, const char* to, uint16_t port, size_t size) {
  namespaces.outside([&] {
    const host::Descriptor client(socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const sockaddr_in6 there = socket_address(to, port);
    const std::string data(size, 'x');
    sendto(client.get(), data.data(), data.size(), 0, reinterpret_cast<const sockaddr*>(&there), sizeof there);
  });
}

struct Listener {
  host::Descriptor socket{::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  explicit Listener(uint16_t port) {
    const sockaddr_in6 here = socket_address("::", port);
    REQUIRE(bind(socket.get(), reinterpret_cast<const sockaddr*>(&here), sizeof here) == 0);
    REQUIRE(listen(socket.get(), 8) == 0);
  }
};

bool is_syn_to(const test::Buffer& frame, uint16_t port) {
  const size_t ip = 14, tcp = frame[12] == 0x08 ? ip + 20 : ip + 40;
  if (frame.size() < tcp + 20 || (frame[12] == 0x08 ? frame[ip + 9] : frame[ip + 6]) != 6) return false;
  return wire::load_be16(&frame[tcp + 2]) == port && frame[tcp + 13] == test::SYN;
}

// Counters of the host's own stack.
uint64_t host_counter(const char* name) {
  const std::string command = std::string("nstat -asz ") + name + " | awk '$1 == \"" + name + "\" { print $2 }'";
  return std::stoull(output(command));
}

// A sent packet is counted a moment later.
bool counts_to(const char* name, uint64_t wanted) {
  constexpr int attempts = 100;
  for (int i = 0; i < attempts; i++) {
    if (host_counter(name) == wanted) return true;
    poll(nullptr, 0, 20);
  }
  return false;
}

// Kernels before 6.6 have no tcx.
bool has_tcx() {
  static const bool has = [] {
    host::Failure failure;
    const std::array<uint32_t, 1> loopback = {if_nametoindex("lo")};
    return host::Steal::attach(loopback, host::StealWay::tcx, failure) != nullptr;
  }();
  return has;
}

std::vector<host::StealWay> all_ways() {
  std::vector<host::StealWay> ways = {host::StealWay::clsact, host::StealWay::nftables};
  if (has_tcx()) ways.push_back(host::StealWay::tcx);
  return ways;
}

host::StealWay best_way() {
  return has_tcx() ? host::StealWay::tcx : host::StealWay::clsact;
}

bool has_rules() {
  return output("tc filter show dev b0 ingress").find("sluice") != std::string::npos ||
         output("nft list tables netdev").find("sluice") != std::string::npos;
}

}  // namespace

TEST_CASE("rules of firewall marks steal ports of the host's own address, in every way") {
  if (!test::is_root()) return;
  for (const host::StealWay way : all_ways()) {
    CAPTURE(static_cast<int>(way));
    const test::Namespaces namespaces;
    const auto stealing = steal(namespaces, way);
    test::PlainTraffic with_marks = owned_traffic();
    test::PlainTraffic::Mark taken, untaken;
    taken.interface = namespaces.interface();
    taken.destination = {address("10.9.0.0"), 24};
    taken.protocol = wire::protocol::tcp;
    taken.ports = {3000, 3010};
    taken.has_ipv4_service = true;
    untaken.ports = {3005, 3005};
    with_marks.marks = {untaken, taken};
    host::Failure failure;
    const bool is_updated = stealing->update(with_marks, failure);
    INFO(failure.message);
    REQUIRE(is_updated);
    test::FrameSocket ring("b0", stealing->socket_filter());
    CHECK(connect_from_outside(namespaces, "::ffff:10.9.0.1", 3000, a_while) == EINPROGRESS);
    CHECK_FALSE(ring.receive([](const test::Buffer& frame) { return is_syn_to(frame, 3000); }).empty());
    CHECK(connect_from_outside(namespaces, "::ffff:10.9.0.1", 3010, a_while) == EINPROGRESS);
    CHECK(connect_from_outside(namespaces, "::ffff:10.9.0.1", 3005, 2000) == ECONNREFUSED);
    CHECK(connect_from_outside(namespaces, "::ffff:10.9.0.1", 3011, 2000) == ECONNREFUSED);
    CHECK(connect_from_outside(namespaces, "2001:db8:9::1", 3000, 2000) == ECONNREFUSED);
    CHECK(connect_from_outside(namespaces, "::ffff:10.9.0.1", service_port, a_while) == EINPROGRESS);

    // New rules apply at once; without rules nothing is stolen.
    with_marks.marks = {taken};
    REQUIRE(stealing->update(with_marks, failure));
    CHECK(connect_from_outside(namespaces, "::ffff:10.9.0.1", 3005, a_while) == EINPROGRESS);
    with_marks.marks.clear();
    REQUIRE(stealing->update(with_marks, failure));
    CHECK(connect_from_outside(namespaces, "::ffff:10.9.0.1", 3000, 2000) == ECONNREFUSED);

    with_marks.marks.assign(host::bpf::STEAL_MOST_MARKS + 1, taken);
    CHECK_FALSE(stealing->update(with_marks, failure));
    CHECK(failure.message == "65 rules of firewall marks are more than the 64 that live traffic is held against");
  }
}

TEST_CASE("rules of firewall marks of a change that failed do not count later") {
  if (!test::is_root()) return;
  const test::Namespaces namespaces;
  const auto stealing = steal(namespaces, host::StealWay::automatic);
  const auto rule_for = [](const char* destination) {
    test::PlainTraffic wanted = owned_traffic();
    wanted.marks = {{.destination = host::Network{address(destination), 32}, .has_ipv4_service = true}};
    return wanted;
  };
  const auto owner = [&](const char* destination) {
    const test::Buffer frame = ethernet({.source = test::outside_mac, .destination = test::inside_mac})
                                   .ipv4({.source = "10.9.0.2", .destination = destination})
                                   .tcp({.source_port = 1, .destination_port = 80, .flags = test::SYN})
                                   .build();
    const auto judgement = stealing->judge(frame, namespaces.interface(), {{2, 0, 0, 0, 9, 1}}, true);
    REQUIRE(judgement.has_value());
    return judgement->owner;
  };
  host::Failure failure;
  REQUIRE(stealing->update(rule_for("10.9.0.50"), failure));
  CHECK(owner("10.9.0.50") != host::bpf::STEAL_NOTHING);
  test::PlainTraffic refused = rule_for("10.9.0.51");
  // More networks than the kernel's map holds.
  for (uint32_t i = 0; i < 5000; i++) {
    const auto bytes = std::to_string(i / 250) + "." + std::to_string(i % 250);
    refused.egress_sources.push_back({address("172.16." + bytes), 32});
  }
  REQUIRE_FALSE(stealing->update(refused, failure));
  CHECK(owner("10.9.0.50") != host::bpf::STEAL_NOTHING);
  CHECK(owner("10.9.0.51") == host::bpf::STEAL_NOTHING);
  for (const char* const next : {"10.9.0.52", "10.9.0.53"}) {
    REQUIRE(stealing->update(rule_for(next), failure));
    CHECK(owner(next) != host::bpf::STEAL_NOTHING);
    for (const char* const earlier : {"10.9.0.50", "10.9.0.51"}) CHECK(owner(earlier) == host::bpf::STEAL_NOTHING);
  }
}

TEST_CASE("the host answers on a service's port before the port is stolen, but not after") {
  if (!test::is_root()) return;
  for (const host::StealWay way : all_ways()) {
    CAPTURE(static_cast<int>(way));
    const test::Namespaces namespaces;
    CHECK(connect_from_outside(namespaces, "::ffff:10.9.0.1", service_port, 2000) == ECONNREFUSED);
    {
      const auto stealing = steal(namespaces, way);
      CHECK(stealing->way() == way);
      test::FrameSocket ring("b0", stealing->socket_filter());
      for (const char* vip : {"::ffff:10.9.0.1", "2001:db8:9::1"}) {
        CAPTURE(vip);
        CHECK(connect_from_outside(namespaces, vip, service_port, a_while) == EINPROGRESS);
        CHECK_FALSE(ring.receive([](const test::Buffer& frame) { return is_syn_to(frame, service_port); }).empty());
      }
      CHECK(connect_from_outside(namespaces, "::ffff:10.9.0.1", service_port + 1, 2000) == ECONNREFUSED);
    }
    CHECK(connect_from_outside(namespaces, "::ffff:10.9.0.1", service_port, 2000) == ECONNREFUSED);
    CHECK_FALSE(has_rules());
  }
}

TEST_CASE("connections to the host's own port continue, and the packet socket gets no copy") {
  if (!test::is_root()) return;
  for (const host::StealWay way : all_ways()) {
    CAPTURE(static_cast<int>(way));
    const test::Namespaces namespaces;
    const Listener ssh(ssh_port);
    const auto stealing = steal(namespaces, way);
    test::FrameSocket ring("b0", stealing->socket_filter());
    CHECK(connect_from_outside(namespaces, "::ffff:10.9.0.1", ssh_port, 2000) == 0);
    CHECK(connect_from_outside(namespaces, "2001:db8:9::1", ssh_port, 2000) == 0);
    if (way == host::StealWay::nftables) continue;
    CHECK(ring.receive([](const test::Buffer& frame) { return is_syn_to(frame, ssh_port); }, 50).empty());
  }
}

TEST_CASE("the filter is attached even if sockets have as little memory as before kernel 6.8") {
  if (!test::is_root()) return;
  const test::Namespaces namespaces;
  test::shell("echo 20480 > /proc/sys/net/core/optmem_max");
  const auto stealing = steal(namespaces, best_way());
  test::FrameSocket ring("b0", stealing->socket_filter());
  connect_from_outside(namespaces, "::ffff:10.9.0.1", service_port, 50);
  CHECK_FALSE(ring.receive([](const test::Buffer& frame) { return is_syn_to(frame, service_port); }).empty());
}

TEST_CASE("datagrams in fragments are stolen as a whole, and the host reassembles its own") {
  if (!test::is_root()) return;
  const test::Namespaces namespaces;
  const auto stealing = steal(namespaces, best_way());
  test::FrameSocket ring("b0", stealing->socket_filter());
  const auto is_later_fragment = [](const test::Buffer& frame) {
    return frame[12] == 0x08 && (wire::load_be16(&frame[20]) & 0x1fff) != 0;
  };
  const uint64_t unreachable = host_counter("IcmpOutDestUnreachs"), reassembled = host_counter("IpReasmReqds");
  send_udp_from_outside(namespaces, "::ffff:10.9.0.1", service_port, 4000);
  CHECK_FALSE(ring.receive(is_later_fragment).empty());
  CHECK_FALSE(ring.receive(is_later_fragment).empty());
  CHECK(host_counter("IpReasmReqds") == reassembled);
  CHECK(host_counter("IcmpOutDestUnreachs") == unreachable);
  send_udp_from_outside(namespaces, "::ffff:10.9.0.1", service_port + 1, 4000);
  // The host answers its own datagram, because no program listens.
  CHECK(counts_to("IcmpOutDestUnreachs", unreachable + 1));
}

TEST_CASE("an ICMP error about a service's packet does not reach the host, but one about the host's packet does") {
  if (!test::is_root()) return;
  const test::Namespaces namespaces;
  const auto stealing = steal(namespaces, best_way());
  test::FrameSocket ring("b0", stealing->socket_filter());
  const auto error = [](uint16_t port) {
    test::Buffer quoted =
        ethernet().ipv4({.source = "10.9.0.1", .destination = "10.9.0.2"}).udp({.source_port = port}).build();
    quoted.erase(quoted.begin(), quoted.begin() + 14);
    return ethernet({.source = test::outside_mac, .destination = test::inside_mac})
        .ipv4({.source = "10.9.0.2", .destination = "10.9.0.1"})
        .icmp({.type = 3, .code = 3, .rest = 0})
        .payload(quoted)
        .build();
  };
  const uint64_t before = host_counter("IcmpInDestUnreachs");
  const auto send = [&](const test::Buffer& frame) {
    namespaces.outside([&] { test::FrameSocket("x0").send(frame); });
  };
  send(error(service_port));
  CHECK_FALSE(ring.receive([](const test::Buffer& frame) { return frame[12] == 0x08 && frame[23] == 1; }).empty());
  CHECK(host_counter("IcmpInDestUnreachs") == before);
  send(error(53));
  CHECK(counts_to("IcmpInDestUnreachs", before + 1));
}

TEST_CASE("frames with a VLAN tag are stolen and reach the packet socket") {
  if (!test::is_root()) return;
  const test::Namespaces namespaces;
  const auto stealing = steal(namespaces, best_way());
  test::FrameSocket ring("b0", stealing->socket_filter());
  const auto frame = ethernet({.source = test::outside_mac, .destination = test::inside_mac})
                         .vlan(5)
                         .ipv4({.source = "10.9.0.2", .destination = "10.9.0.100"})
                         .tcp({.destination_port = service_port})
                         .build();
  namespaces.outside([&] { test::FrameSocket("x0").send(frame); });
  // The kernel has removed the tag; a packet socket gets it beside the frame.
  CHECK_FALSE(ring.receive([](const test::Buffer& seen) { return is_syn_to(seen, service_port); }).empty());
}

TEST_CASE("a question for a virtual address that the host does not have reaches the packet socket") {
  if (!test::is_root()) return;
  const test::Namespaces namespaces;
  const auto stealing = steal(namespaces, best_way());
  test::FrameSocket ring("b0", stealing->socket_filter());
  send_udp_from_outside(namespaces, "::ffff:10.9.0.100", service_port, 10);
  const auto asks_for_it = [](const test::Buffer& frame) {
    return frame[12] == 0x08 && frame[13] == 0x06 && frame[41] == 100;
  };
  CHECK_FALSE(ring.receive(asks_for_it).empty());
  namespaces.outside([] { shell("ip neighbour flush dev x0"); });
  CHECK(connect_from_outside(namespaces, "::ffff:10.9.0.1", service_port + 1, 2000) == ECONNREFUSED);
}

namespace {

// Starts a process that steals, and kills it.
void steal_and_be_killed(const test::Namespaces& namespaces, host::StealWay way) {
  std::array<int, 2> ready{};
  REQUIRE(pipe(ready.data()) == 0);
  const pid_t child = fork();
  if (child == 0) {
    host::Failure failure;
    const std::array<uint32_t, 1> interfaces = {namespaces.interface()};
    const auto stealing = host::Steal::attach(interfaces, way, failure);
    const bool is_done = stealing != nullptr && stealing->update(owned_traffic(), failure);
    if (write(ready[1], is_done ? "y" : "n", 1) == 1) pause();
    _exit(1);
  }
  char answer = 0;
  REQUIRE(read(ready[0], &answer, 1) == 1);
  REQUIRE(answer == 'y');
  CHECK(connect_from_outside(namespaces, "::ffff:10.9.0.1", service_port, a_while) == EINPROGRESS);
  REQUIRE(kill(child, SIGKILL) == 0);
  REQUIRE(waitpid(child, nullptr, 0) == child);
  close(ready[0]);
  close(ready[1]);
}

}  // namespace

TEST_CASE("after a process was killed, nothing is left, or the next process removes it") {
  if (!test::is_root()) return;
  for (const host::StealWay way : all_ways()) {
    CAPTURE(static_cast<int>(way));
    const test::Namespaces namespaces;
    steal_and_be_killed(namespaces, way);
    if (way == host::StealWay::tcx) {
      // The kernel removes the link some time after the process has ended.
      int outcome = EINPROGRESS;
      for (int i = 0; i < 20 && outcome == EINPROGRESS; i++) {
        outcome = connect_from_outside(namespaces, "::ffff:10.9.0.1", service_port, a_while);
      }
      CHECK(outcome == ECONNREFUSED);
      continue;
    }
    CHECK(has_rules());
    host::Failure failure;
    const bool is_clean = host::Steal::remove_left_overs(failure);
    INFO(failure.message);
    CHECK(is_clean);
    CHECK_FALSE(has_rules());
    CHECK(output("tc qdisc show dev b0").find("clsact") == std::string::npos);
    CHECK(connect_from_outside(namespaces, "::ffff:10.9.0.1", service_port, 2000) == ECONNREFUSED);
  }
}

TEST_CASE("what a killed process has left goes on stealing until the next process has filled its own tables") {
  if (!test::is_root()) return;
  constexpr host::StealWay leaving[] = {host::StealWay::clsact, host::StealWay::nftables};
  for (const host::StealWay before : leaving) {
    for (const host::StealWay way : all_ways()) {
      CAPTURE(static_cast<int>(before));
      CAPTURE(static_cast<int>(way));
      const test::Namespaces namespaces;
      steal_and_be_killed(namespaces, before);
      const uint64_t resets = host_counter("TcpOutRsts");
      std::atomic<bool> is_over = false;
      std::thread client([&] {
        namespaces.outside([&] {
          test::FrameSocket link("x0");
          const auto syn = ethernet({.source = test::outside_mac, .destination = test::inside_mac})
                               .ipv4({.source = "10.9.0.2", .destination = "10.9.0.1"})
                               .tcp({.source_port = 4711, .destination_port = service_port, .flags = test::SYN})
                               .build();
          while (!is_over) link.send(syn);
        });
      });
      {
        host::Failure failure;
        const std::array<uint32_t, 1> interfaces = {namespaces.interface()};
        const auto stealing = host::Steal::attach(interfaces, way, failure);
        REQUIRE(stealing != nullptr);
        CHECK(has_rules());
        const bool is_updated = stealing->update(owned_traffic(), failure);
        INFO(failure.message);
        CHECK(is_updated);
        CHECK(connect_from_outside(namespaces, "::ffff:10.9.0.1", service_port, a_while) == EINPROGRESS);
        CHECK(has_rules() == (way != host::StealWay::tcx));
        is_over = true;
        client.join();
        CHECK(host_counter("TcpOutRsts") == resets);
      }
      CHECK_FALSE(has_rules());
      CHECK(output("tc qdisc show dev b0").find("clsact") == std::string::npos);
      CHECK(connect_from_outside(namespaces, "::ffff:10.9.0.1", service_port, 2000) == ECONNREFUSED);
    }
  }
}

TEST_CASE("a process that ends before it steals keeps what the one before has left, unless it gives it back") {
  if (!test::is_root()) return;
  const test::Namespaces namespaces;
  steal_and_be_killed(namespaces, host::StealWay::clsact);
  host::Failure failure;
  const std::array<uint32_t, 1> interfaces = {namespaces.interface()};
  host::Steal::attach(interfaces, host::StealWay::clsact, failure).reset();
  CHECK(has_rules());  // the process has failed, and another one follows
  host::Steal::attach(interfaces, host::StealWay::clsact, failure)->give_back();
  CHECK_FALSE(has_rules());
}

TEST_CASE("the next process replaces left-over rules, and leaves others' rules") {
  if (!test::is_root()) return;
  const test::Namespaces namespaces;
  shell("tc qdisc add dev b0 clsact && nft add table netdev others");
  {
    const auto stealing = steal(namespaces, host::StealWay::clsact);
    CHECK(has_rules());
  }
  CHECK_FALSE(has_rules());
  CHECK(output("tc qdisc show dev b0").find("clsact") != std::string::npos);
  CHECK(output("nft list tables netdev").find("others") != std::string::npos);
}

TEST_CASE("an interface that does not exist is refused by its number") {
  if (!test::is_root()) return;
  const test::Namespaces namespaces;
  for (const host::StealWay way : {host::StealWay::automatic, host::StealWay::tcx, host::StealWay::nftables}) {
    host::Failure failure;
    const std::array<uint32_t, 1> interfaces = {4711};
    CHECK(host::Steal::attach(interfaces, way, failure) == nullptr);
    CHECK(failure.message == "there is no interface number 4711");
  }
}

TEST_CASE("packets of an interface that is added later are stolen, too") {
  if (!test::is_root()) return;
  const test::Namespaces namespaces;
  for (const host::StealWay way : all_ways()) {
    CAPTURE(static_cast<int>(way));
    host::Failure failure;
    const auto stealing = host::Steal::attach({}, way, failure);
    REQUIRE(stealing != nullptr);
    REQUIRE(stealing->update(owned_traffic(), failure));
    CHECK(connect_from_outside(namespaces, "::ffff:10.9.0.1", service_port, 2000) == ECONNREFUSED);
    REQUIRE(stealing->add(namespaces.interface(), failure));
    CHECK(connect_from_outside(namespaces, "::ffff:10.9.0.1", service_port, a_while) == EINPROGRESS);
    stealing->remove(namespaces.interface());
    CHECK(connect_from_outside(namespaces, "::ffff:10.9.0.1", service_port, 2000) == ECONNREFUSED);
  }
}
