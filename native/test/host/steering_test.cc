// SPDX-License-Identifier: Apache-2.0
// Which worker the fanout program chooses for a packet, before and after services change. The kernel runs the program
// on single frames (BPF_PROG_TEST_RUN).
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "host/steal.h"
#include "namespace.h"
#include "packet_builder.h"
#include "plain_traffic.h"

using namespace sluice;
using OwnedTraffic = test::PlainTraffic;
using host::PlacedFlow;
using test::address;
using test::ethernet;

namespace {

// Test runs come from the loopback device, whose address is zero.
constexpr test::EthernetLayer to_host = {.destination = "00:00:00:00:00:00"};
constexpr uint8_t tcp = wire::protocol::tcp, udp = wire::protocol::udp;
constexpr const char *web = "10.0.1.100", *shop = "10.0.1.101", *web6 = "2001:db8::100";
constexpr const char *web_server = "10.0.2.11", *shop_server = "10.0.2.12", *web_server6 = "2001:db8:2::11";
constexpr uint32_t web_service = 0, shop_service = 1, web6_service = 2;
constexpr OwnedTraffic::Steering by_address = {.by_port = false};
constexpr uint16_t first_port = 5000, last_port = 5063;

OwnedTraffic two_services(uint16_t workers = 2) {
  OwnedTraffic all;
  all.workers = workers;
  all.services = {{address(web), 80, tcp}, {address(shop), 80, tcp}, {address(web6), 80, tcp}};
  all.nat_servers = {{address(web_server), 8000, tcp, false, web_service},
                     {address(shop_server), 8000, tcp, false, shop_service},
                     {address(web_server6), 8000, tcp, false, web6_service}};
  return all;
}

std::string_view client_of(std::string_view service) {
  return service.find(':') == std::string::npos ? "192.0.2.7" : "2001:db8:99::7";
}

test::PacketBuilder packet(std::string_view from, std::string_view to) {
  if (from.find(':') == std::string_view::npos) return ethernet(to_host).ipv4({.source = from, .destination = to});
  return ethernet(to_host).ipv6({.source = from, .destination = to});
}

struct Programs {
  std::unique_ptr<host::Steal> steal;

  explicit Programs(const OwnedTraffic& of, const std::vector<PlacedFlow>& flows = {}) {
    host::Failure failure;
    steal = host::Steal::attach({}, host::StealWay::tcx, failure);
    INFO(failure.message);
    REQUIRE(steal != nullptr);
    REQUIRE(steal->load_fanout(failure));
    update(of, flows);
  }
  void update(const OwnedTraffic& of, const std::vector<PlacedFlow>& flows = {}) {
    host::Failure failure;
    const bool is_done = steal->update(of, failure, [&](const auto& visit) {
      for (const PlacedFlow& flow : flows) visit(flow);
    });
    INFO(failure.message);
    REQUIRE(is_done);
  }
  uint32_t worker(const test::Buffer& frame) const {
    const auto run = host::run_program(steal->fanout(), frame);
    REQUIRE(run);
    return run->result;
  }
  uint32_t of_request(const char* service, uint16_t port) const {
    return worker(packet(client_of(service), service).tcp({.source_port = port, .destination_port = 80}).build());
  }
  uint32_t of_reply(const char* service, const char* server, uint16_t port) const {
    return worker(packet(server, client_of(service)).tcp({.source_port = 8000, .destination_port = port}).build());
  }
  // An error of the real server's network about a request as the real server got it.
  uint32_t of_error(const char* service, const char* server, uint16_t port) const {
    test::Buffer quoted =
        packet(client_of(service), server).tcp({.source_port = port, .destination_port = 8000}).build();
    quoted.erase(quoted.begin(), quoted.begin() + 14);
    return worker(packet(server, client_of(service)).icmp({.type = 3, .code = 3, .rest = 0}).payload(quoted).build());
  }
};

std::vector<uint32_t> workers_of(const Programs& programs, const char* service) {
  std::vector<uint32_t> workers;
  for (uint16_t port = first_port; port <= last_port; port++) workers.push_back(programs.of_request(service, port));
  return workers;
}

// As the workers report them.
std::vector<PlacedFlow> flows_of(const Programs& programs, const char* service) {
  std::vector<PlacedFlow> flows;
  for (uint16_t port = first_port; port <= last_port; port++) {
    flows.push_back({.client = address(client_of(service)),
                     .client_port = port,
                     .protocol = tcp,
                     .worker = static_cast<uint16_t>(programs.of_request(service, port)),
                     .service = address(service),
                     .service_port = 80});
  }
  return flows;
}

bool are_equal(const std::vector<uint32_t>& workers) {
  return std::ranges::all_of(workers, [&](uint32_t worker) { return worker == workers.front(); });
}

}  // namespace

TEST_CASE("a service that becomes persistent leaves the flows of other services with their workers") {
  if (!test::is_root()) return;
  OwnedTraffic all = two_services();
  Programs programs(all);
  const std::vector<uint32_t> before = workers_of(programs, shop), before6 = workers_of(programs, web6);
  CHECK_FALSE(are_equal(before));
  all.services[web_service].steering = by_address;
  programs.update(all);
  CHECK(workers_of(programs, shop) == before);
  CHECK(workers_of(programs, web6) == before6);
  CHECK(are_equal(workers_of(programs, web)));
}

TEST_CASE("a service that becomes persistent keeps its flows on their workers, and each new client gets one worker") {
  if (!test::is_root()) return;
  for (const auto& [service, server, number] :
       {std::tuple{web, web_server, web_service}, {web6, web_server6, web6_service}}) {
    CAPTURE(service);
    OwnedTraffic all = two_services();
    Programs programs(all);
    const std::vector<PlacedFlow> flows = flows_of(programs, service);
    all.services[number].steering = by_address;
    programs.update(all, flows);
    for (const PlacedFlow& flow : flows) {
      CAPTURE(flow.client_port);
      CHECK(programs.of_request(service, flow.client_port) == flow.worker);
      CHECK(programs.of_reply(service, server, flow.client_port) == flow.worker);
      if (service == web) CHECK(programs.of_error(service, server, flow.client_port) == flow.worker);
    }
    std::vector<uint32_t> next;
    for (uint16_t port = 6000; port < 6064; port++) next.push_back(programs.of_request(service, port));
    CHECK(are_equal(next));

    // The service becomes ordinary again: flows of both times keep their workers.
    std::vector<PlacedFlow> later = flows;
    for (uint16_t port = 6000; port < 6064; port++) {
      later.push_back(flows.front());
      later.back().client_port = port;
      later.back().worker = static_cast<uint16_t>(next.front());
    }
    all.services[number].steering = {};
    programs.update(all, later);
    for (const PlacedFlow& flow : later) CHECK(programs.of_request(service, flow.client_port) == flow.worker);
    CHECK(programs.steal->lost_strays() == 0);
  }
}

TEST_CASE("packets that come while the steering changes go to the worker of their flow") {
  if (!test::is_root()) return;
  OwnedTraffic all = two_services();
  Programs programs(all);
  all.services[web_service].steering = by_address;
  host::Failure failure;
  std::vector<uint32_t> seen;
  // The programs already note what they see when flows are asked for.
  REQUIRE(programs.steal->update(all, failure, [&](const auto&) { seen = workers_of(programs, web); }));
  CHECK_FALSE(are_equal(seen));
  CHECK(workers_of(programs, web) == seen);
}

TEST_CASE("a flow that was silent for longer than any flow lives is forgotten") {
  if (!test::is_root()) return;
  OwnedTraffic all = two_services();
  all.longest_silence = 0;
  Programs programs(all);
  const std::vector<PlacedFlow> flows = flows_of(programs, web);
  all.services[web_service].steering = by_address;
  programs.update(all, flows);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  bool is_forgotten = false;
  while (!is_forgotten && std::chrono::steady_clock::now() < end) {
    is_forgotten = are_equal(workers_of(programs, web));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  CHECK(is_forgotten);
}

TEST_CASE("flows that the previous process has left go to the worker that has them") {
  if (!test::is_root()) return;
  OwnedTraffic all = two_services();
  std::vector<PlacedFlow> flows = flows_of(Programs(all), web);
  all.services[web_service].steering = by_address;
  const Programs programs(all, flows);
  for (const PlacedFlow& flow : flows) {
    CHECK(programs.of_request(web, flow.client_port) == flow.worker);
    CHECK(programs.of_reply(web, web_server, flow.client_port) == flow.worker);
  }
}

TEST_CASE("services that share a real server are steered alike, because its replies do not tell the service") {
  if (!test::is_root()) return;
  OwnedTraffic all = two_services(8);
  all.nat_servers.push_back({address(web_server), 8000, tcp, false, shop_service});
  all.services[web_service].steering = {.by_port = false, .ipv4_prefix = 24};
  const Programs programs(all);
  for (uint16_t port = first_port; port <= last_port; port++) {
    CHECK(programs.of_request(shop, port) == programs.of_request(web, port));
    CHECK(programs.of_reply(shop, web_server, port) == programs.of_request(shop, port));
    CHECK(programs.of_reply(shop, shop_server, port) == programs.of_request(shop, port));
  }
  CHECK(are_equal(workers_of(programs, shop)));
  CHECK_FALSE(are_equal(workers_of(programs, web6)));
}

TEST_CASE("a service of every port shares its real servers with services of one port") {
  if (!test::is_root()) return;
  OwnedTraffic all = two_services();
  all.services.push_back({address("10.0.1.102"), 0, tcp, by_address});
  all.nat_servers.push_back({address(web_server), 0, tcp, false, 3});
  const Programs programs(all);
  CHECK(are_equal(workers_of(programs, web)));
  CHECK_FALSE(are_equal(workers_of(programs, shop)));
  for (uint16_t port = first_port; port <= last_port; port++)
    CHECK(programs.of_reply(web, web_server, port) == programs.of_request(web, port));
}

TEST_CASE(
    "a persistent service by firewall mark is steered by its own mask, and so are packets that its rules may mark") {
  if (!test::is_root()) return;
  OwnedTraffic all = two_services();
  OwnedTraffic::Mark rule;
  rule.destination = {address("10.0.1.101"), 32};
  rule.has_ipv4_service = true;
  OwnedTraffic::Mark other = rule;
  other.destination = {address("10.0.1.200"), 32};
  all.marks = {rule, other};
  all.nat_servers.push_back({address("10.0.2.30"), 0, 0, true});
  all.ipv4_marks = by_address;
  Programs programs(all);
  CHECK(are_equal(workers_of(programs, "10.0.1.200")));
  CHECK(are_equal(workers_of(programs, shop)));
  CHECK_FALSE(are_equal(workers_of(programs, web)));
  for (uint16_t port = first_port; port <= last_port; port++) {
    const auto reply = packet("10.0.2.30", "192.0.2.7").tcp({.source_port = 80, .destination_port = port});
    CHECK(programs.worker(reply.build()) == programs.of_request("10.0.1.200", port));
  }
  std::vector<PlacedFlow> flows;
  for (uint16_t port = first_port; port <= last_port; port++) {
    flows.push_back({.client = address("192.0.2.7"),
                     .client_port = port,
                     .protocol = tcp,
                     .worker = static_cast<uint16_t>(programs.of_request("10.0.1.200", port)),
                     .is_marked = true});
  }
  all.ipv4_marks = {};
  programs.update(all, flows);
  for (const PlacedFlow& flow : flows) CHECK(programs.of_request("10.0.1.200", flow.client_port) == flow.worker);
}

TEST_CASE("egress packets and packets to local ports are steered independently of services") {
  if (!test::is_root()) return;
  OwnedTraffic all = two_services();
  all.egress_sources = {{address("10.7.0.0"), 16}};
  all.pools = {{address("10.0.3.1"), 1024, 65535}};
  Programs programs(all);
  const auto leaving = [&] {
    std::vector<uint32_t> workers;
    for (uint16_t port = first_port; port <= last_port; port++) {
      const auto out = packet("10.7.0.9", "198.51.100.1").udp({.source_port = port, .destination_port = 53});
      workers.push_back(programs.worker(out.build()));
    }
    return workers;
  };
  const std::vector<uint32_t> before = leaving();
  for (OwnedTraffic::Service& service : all.services) service.steering = by_address;
  programs.update(all);
  CHECK(leaving() == before);
  for (uint16_t port = first_port; port <= last_port; port++) {
    const auto back = packet("198.51.100.1", "10.0.3.1").udp({.source_port = 53, .destination_port = port});
    CHECK(programs.worker(back.build()) == port % 2u);
  }
}
