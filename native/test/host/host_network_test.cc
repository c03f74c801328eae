// SPDX-License-Identifier: Apache-2.0
// The route table that is made from the kernel's tables, compared with what iproute2 has configured and what it
// reports.
#include "host/host_network.h"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdio>
#include <set>

#include "namespace.h"

using namespace sluice;
using director::HopState;
using test::address;
using test::mac;
using test::shell;

namespace {

Time now() {
  return static_cast<Time>(std::chrono::steady_clock::now().time_since_epoch().count());
}

// Follows the network of this namespace as the engine does.
class Followed {
 public:
  explicit Followed(const std::vector<std::string>& interfaces = {"b0"}) {
    std::vector<host::NetworkPort> ports;
    for (const std::string& name : interfaces) ports.push_back({name});
    host::Failure failure;
    network_ = host::HostNetwork::open(
        std::move(ports), [this](const auto&) { changes++; }, now(), failure);
    INFO(failure.message);
    REQUIRE(network_ != nullptr);
  }
  host::HostNetwork& operator*() { return *network_; }
  host::HostNetwork* operator->() { return network_.get(); }

  // Whether the condition becomes true within five seconds.
  bool until(const std::function<bool(const director::RouteTable&)>& condition) {
    const Time deadline = now() + 5 * second;
    while (!condition(*network_->route_table())) {
      const Time at = now();
      if (at > deadline) return false;
      const Time due = std::min(std::max(network_->due(), at), deadline);
      pollfd ready = {network_->fd(), POLLIN, 0};
      poll(&ready, 1, static_cast<int>((due - at) / 1'000'000) + 1);
      host::Failure failure;
      const bool is_followed = network_->follow(now(), failure);
      INFO(failure.message);
      REQUIRE(is_followed);
    }
    return true;
  }
  director::NextHop hop(const char* to) const { return network_->route_table()->next_hop(address(to)); }
  bool until_hop(const char* to, const std::function<bool(const director::NextHop&)>& condition) {
    return until([&](const director::RouteTable& around) { return condition(around.next_hop(address(to))); });
  }

  int changes = 0;

 private:
  std::unique_ptr<host::HostNetwork> network_;
};

// A second link of the balancer without a host at its other end.
void add_link(const char* name, const char* network) {
  shell(std::string("ip link add ") + name + " type veth peer name " + name + "p && ip link set " + name + "p up");
  shell(std::string("ip address add ") + network + " dev " + name + " && ip link set " + name + " up");
  test::await_carrier(name);
}

// What the kernel would do: "via 10.9.0.2 dev b0", from `ip route get`.
std::string kernels_way(const std::string& to) {
  std::array<char, 400> line{};
  FILE* program = popen(("ip -o route get " + to + " 2>&1").c_str(), "r");
  REQUIRE(program != nullptr);
  const bool is_read = fgets(line.data(), line.size(), program) != nullptr;
  pclose(program);
  if (!is_read) return "";
  const std::string text(line.data());
  if (text.find("No route to host") != std::string::npos) return "unreachable";
  if (text.starts_with("local ")) return "local";
  const auto word_after = [&](const std::string& key) {
    const size_t at = text.find(" " + key + " ");
    if (at == std::string::npos) return std::string();
    size_t start = at + key.size() + 2;
    if (text.compare(start, 6, "inet6 ") == 0) start += 6;
    return text.substr(start, text.find(' ', start) - start);
  };
  const std::string via = word_after("via");
  return (via.empty() ? to : via) + " dev " + word_after("dev");
}

std::string our_way(const director::RouteTable& route_table, const char* to) {
  const director::NextHop hop = route_table.next_hop(address(to));
  if (hop.state == HopState::no_route) return "unreachable";
  if (hop.state == HopState::local) return "local";
  return to_string(hop.next) + " dev " + route_table.ports()[hop.port].name;
}

}  // namespace

TEST_CASE("ports have the addresses of their links, and addresses of other interfaces are the host's") {
  if (!test::is_root()) return;
  const test::Namespaces namespaces;
  shell("ip address add 192.0.2.1/32 dev lo && ip address add 10.9.0.50/24 dev b0 && ip link set b0 mtu 1400");
  Followed network;
  const auto route_table = network->route_table();
  const director::Port& port = route_table->ports()[0];
  CHECK(port.name == "b0");
  CHECK(port.mac == mac(test::inside_mac));
  CHECK(port.mtu == 1400);
  CHECK(route_table->port_address(0, wire::Family::ipv4) == address("10.9.0.1"));
  CHECK(route_table->port_address(0, wire::Family::ipv6) == address("2001:db8:9::1"));
  for (const char* own : {"10.9.0.1", "10.9.0.50", "192.0.2.1", "2001:db8:9::1"}) {
    CHECK(route_table->is_local(address(own)));
  }
  CHECK_FALSE(route_table->is_local(address("10.9.0.2")));
  CHECK(route_table->is_broadcast(address("10.9.0.255").v4()));
  CHECK(network->is_up(0));
  const auto all = network->host_addresses();
  CHECK(std::count(all.begin(), all.end(), address("192.0.2.1")) == 1);
}

TEST_CASE("destinations are reached by the kernel's next hop") {
  if (!test::is_root()) return;
  const test::Namespaces namespaces;
  add_link("b1", "10.10.0.1/24");
  shell("ip address add 2001:db8:10::1/64 dev b1 nodad");
  shell("ip route add default via 10.9.0.2 metric 100 && ip route add default via 10.10.0.2 metric 50");
  shell("ip -6 route add default via 2001:db8:9::2 && ip -6 route add 2001:db8:77::/48 via fe80::77 dev b1");
  shell("ip route add 172.16.0.0/12 via 10.9.0.3 && ip route add 172.16.5.0/24 via 10.10.0.9");
  shell("ip route add 172.16.5.128/25 dev b0 && ip route add unreachable 172.17.0.0/16");
  shell("ip route add local 10.11.0.0/16 dev lo && ip route add 198.18.0.0/15 via inet6 fe80::5 dev b1");
  Followed network({"b0", "b1"});
  for (const char* to :
       {"8.8.8.8", "10.9.0.7", "10.10.0.7", "172.16.1.1", "172.16.5.1", "172.16.5.129", "172.17.1.1", "172.18.1.1",
        "10.11.3.4", "198.18.0.1", "10.9.0.1", "2001:db8:ff::1", "2001:db8:9::5", "2001:db8:77::1", "2001:db8:10::9"}) {
    CAPTURE(to);
    CHECK(our_way(*network->route_table(), to) == kernels_way(to));
  }
  shell(
      "ip route del default via 10.10.0.2 && ip route replace 172.16.0.0/12 via 10.9.0.4 && ip route del "
      "172.16.5.128/25");
  CHECK(network.until_hop("8.8.8.8", [](const director::NextHop& hop) { return hop.next == address("10.9.0.2"); }));
  for (const char* to : {"8.8.8.8", "172.16.1.1", "172.16.5.129"}) {
    CAPTURE(to);
    CHECK(our_way(*network->route_table(), to) == kernels_way(to));
  }
}

TEST_CASE("a next hop has the MTU and the source of its route") {
  if (!test::is_root()) return;
  const test::Namespaces namespaces;
  shell("ip address add 10.9.0.60/24 dev b0 && ip route add 172.16.0.0/12 via 10.9.0.2 mtu 1300 src 10.9.0.60");
  Followed network;
  CHECK(network.hop("172.16.0.1").mtu == 1300);
  CHECK(network.hop("172.16.0.1").source_address == address("10.9.0.60"));
  CHECK(network.hop("10.9.0.9").mtu == 1500);
}

TEST_CASE("no route leads through an interface without a port, unless another route uses a port") {
  if (!test::is_root()) return;
  const test::Namespaces namespaces;
  add_link("b1", "10.10.0.1/24");
  shell("ip route add 172.16.0.0/12 via 10.10.0.2 && ip route add default via 10.9.0.2 metric 9");
  shell("ip route add default via 10.10.0.2 metric 5");
  Followed network;
  CHECK(network.hop("172.16.0.1").state == HopState::no_route);
  CHECK(network.hop("10.10.0.2").state == HopState::no_route);
  CHECK(network.hop("8.8.8.8").next == address("10.9.0.2"));
}

TEST_CASE("several next hops share the destinations by their weights") {
  if (!test::is_root()) return;
  const test::Namespaces namespaces;
  shell("ip route add 172.16.0.0/12 nexthop via 10.9.0.2 weight 3 nexthop via 10.9.0.3 weight 1");
  shell("ip -6 route add 2001:db8:77::/48 nexthop via 2001:db8:9::2 nexthop via 2001:db8:9::3");
  shell("ip nexthop add id 1 via 10.9.0.4 dev b0 && ip nexthop add id 2 via 10.9.0.5 dev b0");
  shell("ip nexthop add id 3 group 1/2 && ip route add 172.32.0.0/12 nhid 3");
  Followed network;
  const auto share = [&](const std::string& start, const char* via) {
    int count = 0;
    for (int i = 0; i < 250; i++) count += network.hop((start + std::to_string(i)).c_str()).next == address(via);
    return count;
  };
  CHECK(share("172.16.1.", "10.9.0.2") + share("172.16.1.", "10.9.0.3") == 250);
  CHECK(share("172.16.1.", "10.9.0.2") > 150);
  CHECK(share("172.16.1.", "10.9.0.3") > 30);
  CHECK(share("2001:db8:77::", "2001:db8:9::2") + share("2001:db8:77::", "2001:db8:9::3") == 250);
  CHECK(share("2001:db8:77::", "2001:db8:9::3") > 80);
  CHECK(share("172.32.1.", "10.9.0.4") + share("172.32.1.", "10.9.0.5") == 250);
  shell("ip -6 route del 2001:db8:77::/48 nexthop via 2001:db8:9::2");
  CHECK(network.until([&](const director::RouteTable&) { return share("2001:db8:77::", "2001:db8:9::3") == 250; }));
  shell("ip nexthop del id 2");
  CHECK(network.until([&](const director::RouteTable&) { return share("172.32.1.", "10.9.0.4") == 250; }));
}

TEST_CASE("a next hop that does not answer is not used while another one works") {
  if (!test::is_root()) return;
  const test::Namespaces namespaces;
  shell("ip route add 172.16.0.0/12 nexthop via 10.9.0.2 nexthop via 10.9.0.3");
  shell("ip neighbour add 10.9.0.2 dev b0 lladdr 02:00:00:00:09:02 nud permanent");
  shell("cd /proc/sys/net/ipv4/neigh/b0 && echo 1 >mcast_solicit && echo 50 >retrans_time_ms");
  Followed network;
  network->resolve(0, address("10.9.0.3"), now());
  CHECK(network.until([&](const director::RouteTable& around) {
    for (uint32_t i = 0; i < 100; i++) {
      if (around.way_to(wire::Ipv4Address{__builtin_bswap32(0xac100000 + i)}).state != HopState::reachable)
        return false;
    }
    return true;
  }));
}

TEST_CASE("the kernel resolves a neighbour that the director asks for") {
  if (!test::is_root()) return;
  const test::Namespaces namespaces;
  Followed network;
  for (const char* neighbour : {"10.9.0.2", "2001:db8:9::2"}) {
    CAPTURE(neighbour);
    CHECK(network.hop(neighbour).state == HopState::no_neighbour);
    CHECK(network.hop(neighbour).next == address(neighbour));
    network->resolve(0, address(neighbour), now());
    CHECK(network.until_hop(neighbour, [](const director::NextHop& hop) { return hop.state == HopState::reachable; }));
    CHECK(network.hop(neighbour).destination == mac(test::outside_mac));
    CHECK(network.hop(neighbour).source == mac(test::inside_mac));
  }
}

TEST_CASE("a neighbour is asked for once a second, however many packets wait for it") {
  if (!test::is_root()) return;
  const test::Namespaces namespaces;
  Followed network;
  int questions = 0;
  namespaces.outside([&] {
    test::FrameSocket frames("x0");
    const Time start = now();
    for (int i = 0; i < 1000; i++) network->resolve(0, address("10.9.0.99"), start);
    const auto is_question = [&](const test::Buffer& frame) { return frame[12] == 0x08 && frame[13] == 0x06; };
    while (!frames.receive(is_question, 200).empty()) questions++;
  });
  CHECK(questions == 1);
}

TEST_CASE("permanent and stale neighbours are used, failed and deleted ones are not") {
  if (!test::is_root()) return;
  const test::Namespaces namespaces;
  shell("ip neighbour add 10.9.0.70 dev b0 lladdr 02:00:00:00:00:70 nud permanent");
  shell("ip neighbour add 10.9.0.71 dev b0 lladdr 02:00:00:00:00:71 nud stale");
  Followed network;
  CHECK(network.hop("10.9.0.70").destination == mac("02:00:00:00:00:70"));
  CHECK(network.hop("10.9.0.71").destination == mac("02:00:00:00:00:71"));
  shell("ip neighbour change 10.9.0.70 dev b0 lladdr 02:00:00:00:00:7a nud permanent");
  CHECK(network.until_hop("10.9.0.70",
                          [](const director::NextHop& hop) { return hop.destination == mac("02:00:00:00:00:7a"); }));
  shell("ip neighbour change 10.9.0.71 dev b0 nud failed && ip neighbour del 10.9.0.70 dev b0");
  for (const char* gone : {"10.9.0.70", "10.9.0.71"}) {
    CAPTURE(gone);
    CHECK(network.until_hop(gone, [](const director::NextHop& hop) { return hop.state == HopState::no_neighbour; }));
  }
}

TEST_CASE("a stale gateway is verified again while it is used") {
  if (!test::is_root()) return;
  const test::Namespaces namespaces;
  shell("ip route add default via 10.9.0.2 && ip neighbour add 10.9.0.2 dev b0 lladdr 02:00:00:00:09:02 nud stale");
  Followed network;
  CHECK(network.hop("8.8.8.8").destination == mac(test::outside_mac));
  CHECK(test::output("ip neighbour show nud stale").find("10.9.0.2") != std::string::npos);
  host::Failure failure;
  // The caller passes the time in: six seconds later.
  REQUIRE(network->follow(now() + 6 * second, failure));
  CHECK(test::output("ip neighbour show nud stale").find("10.9.0.2") == std::string::npos);
}

TEST_CASE("a failed gateway is used again when it answers") {
  if (!test::is_root()) return;
  const test::Namespaces namespaces;
  shell("ip route add 172.16.0.0/12 nexthop via 10.9.0.2 nexthop via 10.9.0.3");
  shell("cd /proc/sys/net/ipv4/neigh/b0 && echo 1 >mcast_solicit && echo 50 >retrans_time_ms");
  Followed network;
  for (const char* gateway : {"10.9.0.2", "10.9.0.3"}) network->resolve(0, address(gateway), now());
  const auto uses_both = [](const director::RouteTable& around) {
    std::set<std::string> used;
    for (uint32_t i = 0; i < 100; i++) {
      const director::NextHop& hop = around.way_to(wire::Ipv4Address{__builtin_bswap32(0xac100000 + i)});
      if (hop.state == HopState::reachable) used.insert(to_string(hop.next));
    }
    return used.size() == 2;
  };
  CHECK(network.until_hop("10.9.0.2", [](const director::NextHop& hop) { return hop.state == HopState::reachable; }));
  CHECK_FALSE(uses_both(*network->route_table()));
  namespaces.outside([] { shell("ip address add 10.9.0.3/24 dev x0"); });
  host::Failure failure;
  REQUIRE(network->follow(now() + 6 * second, failure));
  CHECK(network.until(uses_both));
}

TEST_CASE("routes of a link disappear when it goes down and return when it comes up") {
  if (!test::is_root()) return;
  const test::Namespaces namespaces;
  shell("ip route add 172.16.0.0/12 via 10.9.0.2");
  Followed network;
  CHECK(network.hop("172.16.0.1").state == HopState::no_neighbour);
  namespaces.outside([] { shell("ip link set x0 down"); });
  CHECK(network.until_hop("172.16.0.1", [](const director::NextHop& hop) { return hop.state == HopState::no_route; }));
  CHECK(network.hop("10.9.0.2").state == HopState::no_route);
  CHECK(network->route_table()->is_local(address("10.9.0.1")));
  CHECK_FALSE(network->is_up(0));
  namespaces.outside([] { shell("ip link set x0 up"); });
  CHECK(network.until_hop("172.16.0.1", [](const director::NextHop& hop) { return hop.next == address("10.9.0.2"); }));
  network->resolve(0, address("10.9.0.2"), now());
  CHECK(network.until_hop("172.16.0.1", [](const director::NextHop& hop) { return hop.state == HopState::reachable; }));
}

TEST_CASE("a missing interface is a port without routes until it exists, and again after it was removed") {
  if (!test::is_root()) return;
  const test::Namespaces namespaces;
  Followed network({"b0", "later"});
  CHECK(network->interface(1) == 0);
  for (int round = 0; round < 2; round++) {
    CHECK(network.hop("10.20.0.2").state == HopState::no_route);
    add_link("later", "10.20.0.1/24");
    CHECK(network.until_hop("10.20.0.2",
                            [](const director::NextHop& hop) { return hop.state == HopState::no_neighbour; }));
    CHECK(network.hop("10.20.0.2").port == 1);
    CHECK(network->interface(1) == if_nametoindex("later"));
    shell("ip link del later");
    CHECK(network.until_hop("10.20.0.2", [](const director::NextHop& hop) { return hop.state == HopState::no_route; }));
    CHECK(network->interface(1) == 0);
  }
}

TEST_CASE("many changes at once lead to few new route tables, and an overrun loses no change") {
  if (!test::is_root()) return;
  const test::Namespaces namespaces;
  Followed network;
  FILE* batch = popen("ip -batch -", "w");
  REQUIRE(batch != nullptr);
  constexpr int most = 30000;
  for (int i = 0; i < most; i++) {
    fprintf(batch, "route add 100.%d.%d.%d/32 via 10.9.0.2\n", 64 + i / 65536, i / 256 % 256, i % 256);
  }
  REQUIRE(pclose(batch) == 0);
  CHECK(
      network.until_hop("100.64.117.47", [](const director::NextHop& hop) { return hop.next == address("10.9.0.2"); }));
  CHECK(network->overruns() > 0);
  CHECK(network.changes < 20);
}
