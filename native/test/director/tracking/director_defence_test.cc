// SPDX-License-Identifier: Apache-2.0
// Limits and defences: sources, flows, thresholds, and IPVS's three switches against floods.
#include "test/director/fixture.h"

using namespace sluice;
using namespace sluice::test;

namespace {

Buffer syn(uint16_t port, uint16_t service = 80, std::string_view source = client4) {
  return from_client().ipv4({.source = source}).tcp({.source_port = port, .destination_port = service}).build();
}
Buffer ack(uint16_t port) {
  return from_client().ipv4().tcp({.source_port = port, .flags = ACK}).build();
}

Reason reason_of(Fixture& f, const Buffer& frame, const Arrival& arrival = {}) {
  return f.receive(frame, arrival).decision.reason;
}

struct WebFixture : Fixture {
  explicit WebFixture(const director::ServiceSettings& settings = {},
                      const director::DirectorOptions& options = small_options())
      : Fixture(options) {
    add(tcp(), settings);
    add_server(tcp(), server4, 80);
  }
  void set(const std::function<void(director::Switches&)>& change) {
    director::Switches switches;
    change(switches);
    director.set_switches(switches);
  }
};

}  // namespace

TEST_CASE("a source opens no more flows than its rate and burst allow; its known flows go on") {
  director::ServiceSettings settings;
  settings.source_limit = {.rate = 2, .burst = 3, .prefix = 32};
  WebFixture f(settings);
  for (uint16_t port = 1; port <= 3; port++) CHECK(reason_of(f, syn(port)) == Reason::scheduled);
  CHECK(reason_of(f, syn(4)) == Reason::source_limit);
  CHECK(reason_of(f, syn(1)) == Reason::established);
  CHECK(reason_of(f, syn(4, 80, "10.0.1.3")) == Reason::scheduled);
  f.wait(second / 2);
  CHECK(reason_of(f, syn(4)) == Reason::scheduled);
  CHECK(reason_of(f, syn(5)) == Reason::source_limit);
}

TEST_CASE("at the limit of flows no new flow is opened, and known ones go on; a flow that ends makes room") {
  WebFixture f;
  f.director.set_flow_limit(2);
  CHECK(reason_of(f, syn(1)) == Reason::scheduled);
  CHECK(reason_of(f, syn(2)) == Reason::scheduled);
  CHECK(reason_of(f, syn(3)) == Reason::flow_limit);
  CHECK(reason_of(f, ack(2)) == Reason::established);
  CHECK(f.server_of(tcp(), server4).counters.connections == 2);
  f.wait(61 * second);
  CHECK(reason_of(f, syn(3)) == Reason::scheduled);
}

TEST_CASE("a FULLNAT flow that is refused at the limit releases its place") {
  Fixture f;
  f.set_pool(1, {"10.0.2.200"}, 40000, 40010);
  director::ServiceSettings settings;
  settings.pool = 1;
  f.add(tcp(), settings);
  f.add_server(tcp(), server4, 80, {.forwarding = Forwarding::fullnat});
  f.director.set_flow_limit(1);
  CHECK(reason_of(f, syn(1)) == Reason::scheduled);
  CHECK(reason_of(f, syn(2)) == Reason::flow_limit);
  CHECK(f.pool_flows(1) == 1);
}

TEST_CASE("as in the kernel, drop_packet in mode 3 refuses every am_droprate-th new flow, beginning with the first") {
  WebFixture f;
  f.set([](director::Switches& s) {
    s.drop_packet = 3;
    s.am_droprate = 3;
  });
  f.wait(second);
  std::string fates;
  for (uint16_t port = 1; port <= 9; port++)
    fates += reason_of(f, syn(port)) == Reason::drop_packet_defence ? 'x' : '.';
  CHECK(fates == "x..x..x..");
  CHECK(reason_of(f, ack(2)) == Reason::established);
  f.set([](director::Switches&) {});
  f.wait(second);
  for (uint16_t port = 11; port <= 19; port++) CHECK(reason_of(f, syn(port)) == Reason::scheduled);
}

TEST_CASE("drop_packet in mode 1 waits until memory is short") {
  director::DirectorOptions options = small_options();
  options.flow_limit = 64 * 20;  // twenty pages of flows
  WebFixture f({}, options);
  f.set([](director::Switches& s) {
    s.drop_packet = 1;
    s.amemthresh = 16;
  });
  f.wait(second);
  for (uint16_t port = 101; port <= 100 + 64 * 5; port++) CHECK(reason_of(f, syn(port)) == Reason::scheduled);
  f.wait(second);
  // Fifteen pages are free and sixteen are wanted: every sixteenth flow is refused.
  uint32_t refused = 0;
  for (uint16_t port = 1000; port < 1064; port++) refused += reason_of(f, syn(port)) == Reason::drop_packet_defence;
  CHECK(refused == 64 / 16);
}

TEST_CASE("drop_entry ends half-open flows and leaves established ones") {
  WebFixture f;
  f.set([](director::Switches& s) { s.drop_entry = 3; });
  for (uint16_t port = 1; port <= 64; port++) reason_of(f, syn(port));
  for (uint16_t port = 1; port <= 8; port++) reason_of(f, ack(port));
  // A thirty-second of the table is scanned each second.
  for (int i = 0; i < 50; i++) f.wait(second);
  const auto& server = f.server_of(tcp(), server4);
  CHECK(server.active < 40);
  for (uint16_t port = 1; port <= 8; port++) CHECK(reason_of(f, ack(port)) == Reason::established);
}

TEST_CASE("secure_tcp leaves a NAT connection half open until the server acknowledges") {
  WebFixture f;
  f.set([](director::Switches& s) { s.secure_tcp = 3; });
  f.wait(second);
  reason_of(f, syn(1));
  reason_of(f, ack(1));
  f.wait(61 * second);
  CHECK(f.flow_count() == 0);
}

TEST_CASE("a server at its upper threshold gets no flows until it is below the lower one") {
  Fixture f;
  f.add(tcp());
  f.add_server(tcp(), server4, 80, {.upper = 2, .lower = 1});
  f.add_server(tcp(), "10.0.2.12", 80, {.weight = 0});
  CHECK(reason_of(f, syn(1)) == Reason::scheduled);
  CHECK(reason_of(f, syn(2)) == Reason::scheduled);
  CHECK(f.server_of(tcp(), server4).overloaded);
  CHECK(reason_of(f, syn(3)) == Reason::no_real_server);
  f.edit_server(tcp(), server4, 80, {.upper = 5, .lower = 4});
  CHECK_FALSE(f.server_of(tcp(), server4).overloaded);
  CHECK(reason_of(f, syn(3)) == Reason::scheduled);
  f.edit_server(tcp(), server4, 80, {.upper = 3});
  CHECK(f.server_of(tcp(), server4).overloaded);
  f.wait(61 * second);
  CHECK_FALSE(f.server_of(tcp(), server4).overloaded);
  CHECK(reason_of(f, syn(4)) == Reason::scheduled);
}

TEST_CASE("a one-packet service lists no flow, and its counts return to zero") {
  Fixture f;
  director::ServiceSettings settings;
  settings.one_packet = true;
  f.add(udp(), settings);
  f.add_server(udp(), server4, 53);
  f.add_server(udp(), "10.0.2.12", 53);
  std::string hosts;
  for (int i = 0; i < 4; i++) {
    const Outcome outcome = f.receive(from_client().ipv4().udp({.source_port = 1, .destination_port = 53}).build());
    CHECK(outcome.decision.reason == Reason::scheduled);
    hosts += wire::to_string(f.director.services().destination(outcome.decision.destination).address).back();
  }
  CHECK((hosts == "2121" || hosts == "1212"));
  CHECK(f.flow_count() == 0);
  CHECK(f.server_of(udp(), server4).counters.connections == 2);
}

TEST_CASE("a one-packet service with FULLNAT releases its place at once") {
  Fixture f;
  f.set_pool(1, {"10.0.2.200"}, 40000, 40000);
  director::ServiceSettings settings;
  settings.one_packet = true;
  settings.pool = 1;
  f.add(udp(), settings);
  f.add_server(udp(), server4, 53, {.forwarding = Forwarding::fullnat});
  for (uint16_t port = 1; port < 5; port++) {
    CHECK(reason_of(f, from_client().ipv4().udp({.source_port = port, .destination_port = 53}).build()) ==
          Reason::scheduled);
  }
  CHECK(f.pool_flows(1) == 0);
}

TEST_CASE("persistence with a netmask of odd length keeps a network at its server") {
  Fixture f;
  director::ServiceSettings settings;
  settings.persistence = 100;
  settings.persistence_mask = address("255.255.255.192");
  f.add(tcp(), settings);
  f.add_server(tcp(), server4, 80);
  f.add_server(tcp(), "10.0.2.12", 80);
  const auto server = [&](std::string_view source, uint16_t port, Reason reason) {
    const Outcome outcome = f.receive(syn(port, 80, source));
    CHECK(outcome.decision.reason == reason);
    return outcome.decision.destination;
  };
  const uint32_t first = server("192.0.2.1", 1, Reason::scheduled);
  CHECK(server("192.0.2.63", 2, Reason::persistent) == first);
  const uint32_t other = server("192.0.2.64", 3, Reason::scheduled);
  CHECK(other != first);
  CHECK(server("192.0.2.127", 4, Reason::persistent) == other);
  CHECK(f.flow_count() == 6);
  f.wait(161 * second);
  CHECK(f.flow_count() == 0);
}

TEST_CASE("persistence by IPv6 prefix, by mark and for every port keeps a client at one server") {
  Fixture f;
  director::ServiceSettings settings;
  settings.persistence = 100;
  settings.persistence_mask = address("ffff:ffff:ffff:fff8::");
  f.add(tcp(vip6), settings);
  f.add_server(tcp(vip6), server6, 80);
  f.add_server(tcp(vip6), "2001:db8:2::12", 80);
  const auto syn6 = [](std::string_view source) {
    return from_client().ipv6({.source = source, .destination = vip6}).tcp({.source_port = 5}).build();
  };
  CHECK(reason_of(f, syn6("2001:db8:a:8::1")) == Reason::scheduled);
  CHECK(reason_of(f, syn6("2001:db8:a:f::2")) == Reason::persistent);
  CHECK(reason_of(f, syn6("2001:db8:a:10::1")) == Reason::scheduled);

  director::ServiceSettings whole;
  whole.persistence = 100;
  f.add(mark(7), whole);
  f.add_server(mark(7), server4, 0);
  f.add_server(mark(7), "10.0.2.12", 0);
  const Outcome one = f.receive(syn(1, 80), {.mark = 7}), two = f.receive(syn(2, 443), {.mark = 7});
  CHECK(one.decision.reason == Reason::scheduled);
  CHECK(two.decision.reason == Reason::persistent);
  CHECK(one.decision.destination == two.decision.destination);
  REQUIRE(two.out.size() == 1);
  CHECK(two.out[0].frame ==
        to_server()
            .ipv4({.source = client4,
                   .destination = wire::to_string(f.director.services().destination(two.decision.destination).address),
                   .ttl = 63})
            .tcp({.source_port = 2, .destination_port = 443})
            .build());

  f.add(tcp("10.0.1.101", 0), whole);
  f.add_server(tcp("10.0.1.101", 0), server4, 0);
  f.add_server(tcp("10.0.1.101", 0), "10.0.2.12", 0);
  const auto any = [](uint16_t port, uint16_t service) {
    return from_client()
        .ipv4({.destination = "10.0.1.101"})
        .tcp({.source_port = port, .destination_port = service})
        .build();
  };
  const Outcome three = f.receive(any(1, 80)), four = f.receive(any(2, 8443));
  CHECK(three.decision.reason == Reason::scheduled);
  CHECK(four.decision.reason == Reason::persistent);
  CHECK(three.decision.destination == four.decision.destination);
}

TEST_CASE("FTP: control and passive data connections go to one server, active ones are not scheduled") {
  Fixture f;
  director::ServiceSettings settings;
  settings.persistence = 100;
  f.add(tcp(vip4, 21), settings);
  f.add_server(tcp(vip4, 21), server4, 21);
  f.add_server(tcp(vip4, 21), "10.0.2.12", 21);
  const Outcome control = f.receive(syn(1, 21)), data = f.receive(syn(2, 40000));
  CHECK(control.decision.reason == Reason::scheduled);
  CHECK(data.decision.reason == Reason::persistent);
  CHECK(control.decision.destination == data.decision.destination);
  CHECK(reason_of(f, syn(20, 21)) == Reason::connection_reset);
  CHECK(reason_of(f, syn(3, 80)) == Reason::connection_reset);
}
