// SPDX-License-Identifier: Apache-2.0
// Edits during traffic: what happens to flows when their real server changes, is removed or added again; and sums of
// counters.
#include "test/director/fixture.h"

using namespace sluice;
using namespace sluice::test;

namespace {

Buffer syn(uint16_t port) {
  return from_client().ipv4().tcp({.source_port = port}).build();
}
Buffer ack(uint16_t port) {
  return from_client().ipv4().tcp({.source_port = port, .flags = ACK}).build();
}
Buffer question(uint16_t port) {
  return from_client().ipv4().udp({.source_port = port, .destination_port = 53}).build();
}
Reason reason_of(Fixture& f, const Buffer& frame) {
  return f.receive(frame).decision.reason;
}

void set(Fixture& f, const std::function<void(director::Switches&)>& change) {
  director::Switches switches;
  change(switches);
  f.director.set_switches(switches);
}

struct WebFixture : Fixture {
  explicit WebFixture(const director::ServiceSettings& settings = {}) {
    add(tcp(), settings);
    add_server(tcp(), server4, 80);
  }
};

}  // namespace

TEST_CASE("weight 0 drains a server: known flows go on, and no new flow comes") {
  WebFixture f;
  CHECK(reason_of(f, syn(1)) == Reason::scheduled);
  f.edit_server(tcp(), server4, 80, {.weight = 0});
  CHECK(reason_of(f, ack(1)) == Reason::established);
  CHECK(reason_of(f, syn(2)) == Reason::no_real_server);
  f.edit_server(tcp(), server4, 80, {.weight = 3});
  CHECK(reason_of(f, syn(2)) == Reason::scheduled);
}

TEST_CASE("a flow keeps its forwarding mode; new flows get the new mode") {
  WebFixture f;
  CHECK(reason_of(f, syn(1)) == Reason::scheduled);
  f.edit_server(tcp(), server4, 80, {.forwarding = Forwarding::dr});
  f.run({
      {"by NAT",
       ack(1),
       Reason::established,
       {to_server()
            .ipv4({.source = client4, .destination = server4, .ttl = 63})
            .tcp({.source_port = 1, .flags = ACK})
            .build()}},
      {"by DR", syn(2), Reason::scheduled, {to_server().ipv4({.ttl = 63}).tcp({.source_port = 2}).build()}},
  });
}

TEST_CASE("a server that is added again while its flows live is the same one, with its counts") {
  WebFixture f;
  CHECK(reason_of(f, syn(1)) == Reason::scheduled);
  const uint32_t id = f.server_of(tcp(), server4).id;
  f.remove_server(tcp(), server4, 80);
  CHECK(reason_of(f, ack(1)) == Reason::server_removed);
  f.add_server(tcp(), server4, 80, {.weight = 5});
  CHECK(f.server_of(tcp(), server4).id == id);
  CHECK(f.server_of(tcp(), server4).active == 1);
  CHECK(f.server_of(tcp(), server4).counters.packets_in == 1);
  CHECK(reason_of(f, ack(1)) == Reason::established);
}

TEST_CASE("a removed server is freed with its last flow") {
  WebFixture f;
  CHECK(reason_of(f, syn(1)) == Reason::scheduled);
  f.remove_server(tcp(), server4, 80);
  uint32_t known = 0;
  f.director.services().for_each_destination([&](const director::Destination&) { known++; });
  CHECK(known == 1);
  f.wait(61 * second);
  known = 0;
  f.director.services().for_each_destination([&](const director::Destination&) { known++; });
  CHECK(known == 0);
  f.add_server(tcp(), server4, 80);
  CHECK(f.server_of(tcp(), server4).counters.packets_in == 0);
}

TEST_CASE("replies of a removed server's flows still reach their clients, and its service may be added again") {
  WebFixture f;
  CHECK(reason_of(f, syn(1)) == Reason::scheduled);
  CHECK(f.director.remove_service(tcp()) == director::EditResult::done);
  f.check_invariants();
  f.expect({"reply",
            from_server()
                .ipv4({.source = server4, .destination = client4})
                .tcp({.source_port = 80, .destination_port = 1, .flags = SYN | ACK})
                .build(),
            Reason::reply,
            {to_client()
                 .ipv4({.source = vip4, .destination = client4, .ttl = 63})
                 .tcp({.source_port = 80, .destination_port = 1, .flags = SYN | ACK})
                 .build()}});
  CHECK(reason_of(f, ack(1)) == Reason::server_removed);
  CHECK(reason_of(f, syn(2)) == Reason::no_service);
  f.add(tcp());
  f.add_server(tcp(), server4, 80);
  CHECK(reason_of(f, ack(1)) == Reason::established);
}

TEST_CASE("UDP flows of a removed server stay, unless udp_leave_removed ends them") {
  Fixture f;
  f.add(udp());
  f.add_server(udp(), server4, 53);
  CHECK(reason_of(f, question(1)) == Reason::scheduled);
  f.remove_server(udp(), server4, 53);
  f.add_server(udp(), "10.0.2.12", 53);
  CHECK(reason_of(f, question(1)) == Reason::server_removed);
  set(f, [](director::Switches& s) { s.udp_leave_removed = true; });
  CHECK(reason_of(f, question(1)) == Reason::scheduled);
  CHECK(reason_of(f, question(1)) == Reason::established);
}

TEST_CASE("expire_nodest_conn ends flows and templates of a removed server in the background") {
  director::ServiceSettings settings;
  settings.persistence = 1000;
  WebFixture f(settings);
  set(f, [](director::Switches& s) { s.expire_nodest_conn = true; });
  for (uint16_t port = 1; port <= 5; port++) reason_of(f, syn(port));
  CHECK(f.flow_count() == 6);
  f.remove_server(tcp(), server4, 80);
  f.wait(0);
  CHECK(f.flow_count() == 0);
}

TEST_CASE("with expire_nodest_conn the next SYN of a removed or drained server's client gets another server") {
  WebFixture f;
  set(f, [](director::Switches& s) { s.expire_nodest_conn = true; });
  CHECK(reason_of(f, syn(1)) == Reason::scheduled);
  f.add_server(tcp(), "10.0.2.12", 80);
  f.remove_server(tcp(), server4, 80);
  CHECK(reason_of(f, syn(1)) == Reason::scheduled);
  f.add_server(tcp(), "10.0.2.13", 80);
  f.edit_server(tcp(), "10.0.2.12", 80, {.weight = 0});
  CHECK(reason_of(f, ack(1)) == Reason::established);
  CHECK(reason_of(f, syn(1)) == Reason::scheduled);
  CHECK(f.server_of(tcp(), "10.0.2.13").active == 1);
}

TEST_CASE("expire_quiescent_template moves a client away from a drained server") {
  director::ServiceSettings settings;
  settings.persistence = 1000;
  WebFixture f(settings);
  CHECK(reason_of(f, syn(1)) == Reason::scheduled);
  f.add_server(tcp(), "10.0.2.12", 80);
  f.edit_server(tcp(), server4, 80, {.weight = 0});
  CHECK(reason_of(f, syn(2)) == Reason::persistent);
  set(f, [](director::Switches& s) { s.expire_quiescent_template = true; });
  CHECK(reason_of(f, syn(3)) == Reason::scheduled);
  CHECK(f.server_of(tcp(), "10.0.2.12").persistent == 1);
  f.wait(2000 * second);
  CHECK(f.flow_count() == 0);
}

TEST_CASE("round robin follows the order of the list") {
  Fixture f;
  f.add(tcp());
  const std::string_view hosts[] = {"10.0.2.11", "10.0.2.12", "10.0.2.13"};
  std::vector<director::DestinationSettings> order;
  for (const std::string_view host : hosts) {
    f.add_server(tcp(), host, 80);
    order.push_back(Fixture::server(host, 80));
  }
  CHECK(f.director.services().order_destinations(tcp(), order) == director::EditResult::done);
  CHECK(f.director.services().order_destinations(tcp("10.0.1.77"), order) == director::EditResult::no_such_service);
  uint16_t port = 1;
  for (const std::string_view host : hosts) {
    const Outcome outcome = f.receive(syn(port++));
    CHECK(wire::to_string(f.director.services().destination(outcome.decision.destination).address) == host);
  }
}

TEST_CASE("servers are put into the order that is asked for, and those that it does not name stay behind them") {
  Fixture f;
  f.add(tcp());
  constexpr uint16_t servers = 300;
  for (uint16_t port = 1; port <= servers; port++) f.add_server(tcp(), server4, port);
  std::vector<uint16_t> unnamed;
  for (const auto* destination : f.director.services().find(tcp())->destinations) {
    if (destination->port > 200) unnamed.push_back(destination->port);
  }
  std::vector<director::DestinationSettings> order;
  for (uint16_t i = 0; i < 200; i++) order.push_back(Fixture::server(server4, static_cast<uint16_t>(i * 37 % 200 + 1)));
  std::vector<uint16_t> wanted;
  for (const director::DestinationSettings& one : order) wanted.push_back(one.port);
  wanted.insert(wanted.end(), unnamed.begin(), unnamed.end());
  // One that is named twice has its first place, and an unknown one has none.
  order.push_back(order.front());
  order.insert(order.begin() + 7, Fixture::server("10.0.2.99", 1));
  REQUIRE(f.director.services().order_destinations(tcp(), order) == director::EditResult::done);
  std::vector<uint16_t> found;
  for (const auto* destination : f.director.services().find(tcp())->destinations) found.push_back(destination->port);
  CHECK(found == wanted);
}

TEST_CASE("impossible edits are refused and change nothing") {
  WebFixture f;
  director::ServiceTable& table = f.director.services();
  director::ServiceSettings unknown;
  unknown.scheduler = "none-such";
  CHECK(table.add_service(tcp(), {}) == director::EditResult::service_exists);
  CHECK(table.add_service(tcp(vip4, 81), unknown) == director::EditResult::unknown_scheduler);
  CHECK(table.edit_service(tcp(), unknown) == director::EditResult::unknown_scheduler);
  CHECK(table.edit_service(tcp(vip4, 81), {}) == director::EditResult::no_such_service);
  CHECK(table.add_destination(tcp(), Fixture::server(server4, 80)) == director::EditResult::destination_exists);
  CHECK(table.add_destination(tcp(vip4, 81), Fixture::server(server4, 80)) == director::EditResult::no_such_service);
  CHECK(table.edit_destination(tcp(), Fixture::server(server4, 81)) == director::EditResult::no_such_destination);
  CHECK(f.director.remove_destination(tcp(), address(server4), 81) == director::EditResult::no_such_destination);
  CHECK(f.director.remove_destination(tcp(vip4, 81), address(server4), 80) == director::EditResult::no_such_service);
  CHECK(f.director.remove_service(tcp(vip4, 81)) == director::EditResult::no_such_service);
  CHECK(table.service_count() == 1);
  CHECK(reason_of(f, syn(1)) == Reason::scheduled);
}

TEST_CASE("only tunnels lead to real servers of the other family") {
  Fixture f;
  director::ServiceTable& table = f.director.services();
  director::ServiceKey mark6 = mark(5);
  mark6.address.family = wire::Family::ipv6;
  for (const director::ServiceKey& key : {tcp(), tcp(vip6), mark(5), mark6}) {
    f.add(key);
    const bool is_v4 = key.address.family == wire::Family::ipv4;
    const std::string_view own = is_v4 ? server4 : server6, other = is_v4 ? server6 : server4;
    for (const Forwarding mode : {Forwarding::nat, Forwarding::fullnat, Forwarding::dr}) {
      CHECK(table.add_destination(key, Fixture::server(other, 80, {.forwarding = mode})) ==
            director::EditResult::family_mismatch);
    }
    CHECK(table.add_destination(key, Fixture::server(own, 80)) == director::EditResult::done);
    CHECK(table.add_destination(key, Fixture::server(other, 80, {.forwarding = Forwarding::tunnel})) ==
          director::EditResult::done);
    CHECK(table.edit_destination(key, Fixture::server(other, 80)) == director::EditResult::family_mismatch);
    CHECK(table.find(key)->destinations.size() == 2);
  }
}

TEST_CASE("the counts of servers add up to their service's, in packets and bytes, in both directions") {
  Fixture f;
  f.add(tcp());
  f.add_server(tcp(), "10.0.2.11", 80);
  f.add_server(tcp(), "10.0.2.12", 80);
  f.add_server(tcp(), "10.0.2.13", 80);
  for (uint16_t port = 1; port <= 10; port++) {
    const Outcome opened = f.receive(syn(port));
    const std::string host = wire::to_string(f.director.services().destination(opened.decision.destination).address);
    CHECK(reason_of(f, ack(port)) == Reason::established);
    CHECK(reason_of(f, from_server()
                           .ipv4({.source = host, .destination = client4})
                           .tcp({.source_port = 80, .destination_port = port, .flags = ACK})
                           .payload(Buffer(port))
                           .build()) == Reason::reply);
  }
  director::Counters sum;
  const director::Service* service = f.director.services().find(tcp());
  for (const director::Destination* server : service->destinations) {
    sum.connections += server->counters.connections;
    sum.packets_in += server->counters.packets_in;
    sum.bytes_in += server->counters.bytes_in;
    sum.packets_out += server->counters.packets_out;
    sum.bytes_out += server->counters.bytes_out;
  }
  CHECK(sum.connections == 10);
  CHECK(sum.packets_in == 20);
  CHECK(sum.bytes_in == 20 * 40);
  CHECK(sum.packets_out == 10);
  CHECK(sum.bytes_out == 10 * 40 + 55);
  CHECK(service->counters().connections == sum.connections);
  CHECK(service->counters().packets_in == sum.packets_in);
  CHECK(service->counters().bytes_in == sum.bytes_in);
  CHECK(service->counters().packets_out == sum.packets_out);
  CHECK(service->counters().bytes_out == sum.bytes_out);
  CHECK(f.director.count(Reason::scheduled) == 10);
  CHECK(f.director.count(Reason::established) == 10);
  CHECK(f.director.count(Reason::reply) == 10);
}

TEST_CASE("a frame in a batch gets the same decision as alone") {
  Fixture alone, together;
  std::vector<Buffer> frames;
  for (uint16_t i = 0; i < 100; i++)
    frames.push_back(i % 3 == 0 ? syn(static_cast<uint16_t>(i / 2)) : ack(static_cast<uint16_t>(i / 3)));
  for (Fixture* f : {&alone, &together}) {
    f->add(tcp());
    f->add_server(tcp(), server4, 80);
    f->add_server(tcp(), "10.0.2.12", 80);
  }
  std::vector<Buffer> room;
  std::vector<director::Frame> batch;
  for (const Buffer& frame : frames) {
    room.push_back(Buffer(director::required_headroom) + frame);
    director::Frame& entry = batch.emplace_back();
    entry.data = room.back().data() + director::required_headroom;
    entry.length = static_cast<uint32_t>(frame.size());
  }
  std::vector<director::Decision> decisions(frames.size());
  director::TransmitQueue out;
  together.director.receive_batch(batch, decisions, together.now, out);
  size_t at = 0;
  for (size_t i = 0; i < frames.size(); i++) {
    const Outcome outcome = alone.receive(frames[i]);
    CHECK(outcome.decision.reason == decisions[i].reason);
    for (const Sent& sent : outcome.out) {
      REQUIRE(at < out.entries().size());
      const auto& entry = out.entries()[at++];
      CHECK(entry.cause == i);
      CHECK(Buffer(entry.frame.data, entry.frame.data + entry.frame.length) == sent.frame);
    }
  }
  CHECK(at == out.entries().size());
}

TEST_CASE("each of several workers has a share of what is configured for all") {
  uint32_t flows = 0;
  for (uint16_t worker = 0; worker < 3; worker++) {
    director::DirectorOptions options = small_options();
    options.share = {worker, 3};
    Fixture f(options);
    f.add(tcp());
    f.add_server(tcp(), server4, 8080, {.upper = 10});
    for (uint16_t port = 1; port <= 10; port++) {
      const Outcome outcome = f.receive(from_client().ipv4().tcp({.source_port = port}).build());
      flows += outcome.decision.reason == Reason::scheduled;
    }
  }
  CHECK(flows == 10);
  CHECK(core::Share{2, 3}.of(2) == 1);  // less than one each: every worker may have one
  CHECK(core::Share{2, 3}.of(0) == 0);
}
