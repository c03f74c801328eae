// SPDX-License-Identifier: Apache-2.0
// A director that restores the flows of another one handles each packet as that one would have.
#include <sys/mman.h>

#include <functional>

#include "engine/crash_state.h"
#include "engine/flight_recorder.h"
#include "engine/worker_files.h"
#include "test/director/fixture.h"

using namespace sluice;
using namespace sluice::test;
using engine::CrashState;
using engine::FlightRecorder;

namespace {

// The crash state of a process and of its successor, with the sockets of one parent.
struct Parent {
  int sockets[2];
  Parent() {
    host::Failure failure;
    REQUIRE(CrashState::make_sockets(sockets, failure));
  }
  ~Parent() {
    close(sockets[0]);
    close(sockets[1]);
  }
  CrashState child() const { return CrashState(dup(sockets[0]), dup(sockets[1])); }
};

director::DirectorOptions options_with(const engine::WorkerFiles& files, uint32_t seed) {
  director::DirectorOptions options = small_options();
  options.memory = files.of_director();
  options.random = seeded(seed);
  return options;
}

struct Process {
  explicit Process(const Parent& parent, uint32_t seed = 1) : crash_state(parent.child()) {
    crash_state.take();
    host::Failure failure;
    REQUIRE(files.make(crash_state, 0, failure));
    if (!crash_state.has_taken()) REQUIRE(crash_state.take_over(failure));
    fixture.emplace(options_with(files, seed));
  }
  director::Restored restore() { return engine::restore_from(crash_state, 0, fixture->director, fixture->now); }

  CrashState crash_state;
  engine::WorkerFiles files;
  std::optional<Fixture> fixture;
};

struct Conversation {
  const char* name;
  std::function<void(Fixture&)> configure;
  std::vector<Buffer> before, after;
};

director::ServiceSettings with_pool() {
  director::ServiceSettings settings;
  settings.pool = 1;
  return settings;
}

director::ServiceSettings with_header() {
  director::ServiceSettings settings;
  settings.pool = 1;
  settings.proxy_protocol = true;
  return settings;
}

director::ServiceSettings persistent() {
  director::ServiceSettings settings;
  settings.persistence = 300;
  return settings;
}

Buffer from_client4(TcpLayer layer, uint16_t port = 1234) {
  layer.source_port = port;
  layer.destination_port = 80;
  return from_client().ipv4({.source = client4, .destination = vip4}).tcp(layer).build();
}
Buffer from_client6(TcpLayer layer) {
  layer.source_port = 1234;
  layer.destination_port = 80;
  return from_client().ipv6({.source = client6, .destination = vip6}).tcp(layer).build();
}
Buffer from_server4(TcpLayer layer, std::string_view to, uint16_t port) {
  layer.source_port = 8080;
  layer.destination_port = port;
  return from_server().ipv4({.source = server4, .destination = to}).tcp(layer).build();
}
Buffer from_server6(TcpLayer layer) {
  layer.source_port = 8080;
  layer.destination_port = 1234;
  return from_server().ipv6({.source = server6, .destination = client6}).tcp(layer).build();
}

constexpr std::string_view local4 = "10.0.2.200";
constexpr uint16_t local_port = 40000;

std::vector<Conversation> conversations() {
  const TcpLayer syn{.flags = SYN}, syn_ack{.flags = SYN | ACK}, ack{.flags = ACK}, fin{.flags = FIN | ACK};
  const auto two_servers = [](Fixture& f, std::string_view virtual_address, std::string_view one,
                              std::string_view other, Forwarding mode, const director::ServiceSettings& settings) {
    f.add(tcp(virtual_address), settings);
    f.add_server(tcp(virtual_address), other, 8080, {mode});
    f.add_server(tcp(virtual_address), one, 8080, {mode});
  };
  return {
      {"NAT",
       [=](Fixture& f) { two_servers(f, vip4, server4, "10.0.2.12", Forwarding::nat, {}); },
       {from_client4(syn), from_server4(syn_ack, client4, 1234), from_client4(ack)},
       {from_client4(ack), from_server4(ack, client4, 1234), from_client4(fin), from_server4(fin, client4, 1234)}},
      {"NAT over IPv6",
       [=](Fixture& f) { two_servers(f, vip6, server6, "2001:db8:2::12", Forwarding::nat, {}); },
       {from_client6(syn), from_server6(syn_ack), from_client6(ack)},
       {from_client6(ack), from_server6(ack), from_client6(fin)}},
      {"half open",
       [=](Fixture& f) { two_servers(f, vip4, server4, "10.0.2.12", Forwarding::nat, {}); },
       {from_client4(syn)},
       {from_server4(syn_ack, client4, 1234), from_client4(ack)}},
      {"FULLNAT",
       [=](Fixture& f) {
         f.set_pool(1, {local4}, local_port, local_port);
         two_servers(f, vip4, server4, "10.0.2.12", Forwarding::fullnat, with_pool());
       },
       {from_client4(syn), from_server4(syn_ack, local4, local_port), from_client4(ack)},
       {from_client4(ack), from_server4(ack, local4, local_port), from_client4(fin)}},
      {"FULLNAT with a PROXY header that is on its way",
       [=](Fixture& f) {
         f.set_pool(1, {local4}, local_port, local_port);
         two_servers(f, vip4, server4, "10.0.2.12", Forwarding::fullnat, with_header());
       },
       {from_client4(syn), from_server4({.sequence = 7, .acknowledgement = 2, .flags = SYN | ACK}, local4, local_port),
        from_client4({.sequence = 2, .acknowledgement = 8, .flags = ACK})},
       {from_server4({.sequence = 8, .acknowledgement = 2, .flags = ACK}, local4, local_port),
        from_server4({.sequence = 8, .acknowledgement = 30, .flags = ACK}, local4, local_port),
        from_client4({.sequence = 2, .acknowledgement = 8, .flags = ACK}),
        from_server4({.sequence = 8, .acknowledgement = 31, .flags = ACK}, local4, local_port),
        from_client4({.sequence = 3, .acknowledgement = 8, .flags = FIN | ACK})}},
      {"DR",
       [=](Fixture& f) { two_servers(f, vip4, server4, "10.0.2.12", Forwarding::dr, {}); },
       {from_client4(syn), from_client4(ack)},
       {from_client4(ack), from_client4(fin)}},
      {"tunnel",
       [=](Fixture& f) { two_servers(f, vip4, server4, "10.0.2.12", Forwarding::tunnel, {}); },
       {from_client4(syn), from_client4(ack)},
       {from_client4(ack), from_client4(fin)}},
      {"persistence: the next connection goes where the first one went",
       [=](Fixture& f) { two_servers(f, vip4, server4, "10.0.2.12", Forwarding::nat, persistent()); },
       {from_client4(syn), from_server4(syn_ack, client4, 1234), from_client4(ack)},
       {from_client4(syn, 1235), from_client4(syn, 1236), from_client4(fin)}},
  };
}

}  // namespace

TEST_CASE("flows go on in the next process as they would in this one") {
  for (const Conversation& conversation : conversations()) {
    CAPTURE(conversation.name);
    const Parent parent;
    Process first(parent);
    conversation.configure(*first.fixture);
    for (const Buffer& frame : conversation.before) first.fixture->receive(frame);

    Process second(parent, 2);
    conversation.configure(*second.fixture);
    const director::Restored restored = second.restore();
    CHECK(restored.flows == first.fixture->flow_count());
    CHECK(restored.lost == 0);
    second.fixture->check_invariants();
    for (const Buffer& frame : conversation.after) {
      INFO("in: ", wire::describe(frame));
      const Outcome expected = first.fixture->receive(frame);
      const Outcome outcome = second.fixture->receive(frame);
      CHECK(director::reason_name(outcome.decision.reason) == director::reason_name(expected.decision.reason));
      REQUIRE(outcome.out.size() == expected.out.size());
      for (size_t i = 0; i < outcome.out.size(); i++) {
        CHECK(wire::describe(outcome.out[i].frame) == wire::describe(expected.out[i].frame));
      }
    }
    // The flows end at their old deadlines.
    second.fixture->wait(3600 * sluice::second);
    CHECK(second.fixture->flow_count() == 0);
  }
}

TEST_CASE("flows whose real server is no longer configured are left out, others are restored") {
  const Parent parent;
  Process first(parent);
  first.fixture->add(tcp());
  first.fixture->add_server(tcp(), "10.0.2.12", 8080);
  first.fixture->add_server(tcp(), server4, 8080);
  for (uint16_t port = 1; port <= 4; port++) first.fixture->receive(from_client4({.flags = SYN}, port));

  Process second(parent);
  second.fixture->add(tcp());
  second.fixture->add_server(tcp(), server4, 8080);
  const director::Restored restored = second.restore();
  CHECK(restored.flows == 2);
  CHECK(restored.lost == 2);
  second.fixture->check_invariants();
}

namespace {

// Damage by a crash between two stores, and records that no director writes.
struct Damage {
  const char* name;
  std::function<void(director::Director&)> inflict;
};

director::Flow<wire::Ipv4Address>& first_flow(director::Director& director, bool is_template) {
  auto& table = director.flows<wire::Ipv4Address>().table();
  director::Flow<wire::Ipv4Address>* found = nullptr;
  table.walk(0, table.span(), [&](auto& flow) {
    if (flow.is_template() == is_template) found = &flow;
  });
  REQUIRE(found != nullptr);
  return *found;
}

std::vector<Damage> damages(bool is_template) {
  const auto edit = [=](auto change) {
    return [=](director::Director& director) { change(first_flow(director, is_template)); };
  };
  std::vector<Damage> all = {
      {"it is not bound to a real server yet", edit([](auto& flow) { flow.destination = director::no_destination; })},
      {"its real server's number is beyond the file", edit([](auto& flow) { flow.destination = 1u << 20; })},
      {"its real server was never written", edit([](auto& flow) { flow.destination = 77; })},
      {"its virtual address is another service's",
       edit([](auto& flow) { flow.forward.destination = wire::Ipv4Address{0x01020304}; })},
      {"its protocol is none that the service has", edit([](auto& flow) { flow.protocol = wire::protocol::udp; })},
      {"its state is none", edit([](auto& flow) { flow.state = 200; })},
      {"its flags are none", edit([](auto& flow) { flow.flags ^= 0x2000; })},
      {"it is said to be of the NAT gateway", edit([](auto& flow) { flow.flags |= director::flow_flag::egress; })},
      {"it is said to have a place in a pool", edit([](auto& flow) { flow.flags |= director::flow_flag::has_local; })},
      {"its place among spliced flows is beyond the file", edit([](auto& flow) {
         flow.flags |= director::flow_flag::spliced;
         flow.spliced = 1u << 30;
       })},
  };
  if (is_template) return all;
  all.push_back({"its halves are of two clients", edit([](auto& flow) { flow.reverse.destination_port = 4321; })});
  all.push_back(
      {"its forwarding mode is none", edit([](auto& flow) { flow.flags |= director::flow_flag::mode_mask; })});
  return all;
}

}  // namespace

TEST_CASE("a record that contradicts itself is left out and does no harm later") {
  for (const bool is_template : {false, true}) {
    for (const Damage& damage : damages(is_template)) {
      CAPTURE(is_template);
      CAPTURE(damage.name);
      const Parent parent;
      Process first(parent);
      const auto configure = [is_template](Fixture& f) {
        f.add(tcp(), is_template ? persistent() : director::ServiceSettings{});
        f.add_server(tcp(), server4, 8080);
      };
      configure(*first.fixture);
      first.fixture->receive(from_client4({.flags = SYN}));
      damage.inflict(first.fixture->director);

      Process second(parent, 2);
      configure(*second.fixture);
      const director::Restored restored = second.restore();
      CHECK(restored.lost == 1);
      CHECK(restored.flows == (is_template ? 1 : 0));
      second.fixture->check_invariants();
      for (const uint16_t port : {uint16_t{1234}, uint16_t{1235}}) {
        second.fixture->receive(from_client4({.flags = SYN}, port));
        second.fixture->receive(from_server4({.flags = SYN | ACK}, client4, port));
        second.fixture->receive(from_client4({.flags = ACK}, port));
      }
      second.fixture->wait(1000 * sluice::second);
      second.fixture->wait(1000 * sluice::second);  // a template ends after its flows
      CHECK(second.fixture->flow_count() == 0);
    }
  }
}

TEST_CASE("of two records of one flow the first is restored, and its place in a pool is counted once") {
  const Parent parent;
  Process first(parent);
  const auto configure = [](Fixture& f) {
    f.set_pool(1, {local4}, local_port, local_port + 1);
    f.add(tcp(), with_pool());
    f.add_server(tcp(), server4, 8080, {Forwarding::fullnat});
  };
  configure(*first.fixture);
  first.fixture->receive(from_client4({.flags = SYN}, 1));
  first.fixture->receive(from_client4({.flags = SYN}, 2));
  auto& table = first.fixture->director.flows<wire::Ipv4Address>().table();
  table.at(1).reverse = table.at(0).reverse;

  Process second(parent, 2);
  configure(*second.fixture);
  const director::Restored restored = second.restore();
  CHECK(restored.flows == 1);
  CHECK(restored.lost == 1);
  CHECK(second.fixture->pool_flows(1) == 1);
  second.fixture->check_invariants();
}

TEST_CASE("an impossible record of a spliced flow is refused, and its place in the pool is free again") {
  const std::vector<std::pair<const char*, std::function<void(director::SplicedFlow&)>>> all = {
      {"another flow has it", [](auto& spliced) { spliced.flow++; }},
      {"another family", [](auto& spliced) { spliced.family = wire::Family::ipv6; }},
      {"no phase", [](auto& spliced) { spliced.phase = static_cast<director::SplicedFlow::Phase>(9); }},
      {"a client that has not proved itself is greeted",
       [](auto& spliced) { spliced.phase = director::SplicedFlow::Phase::greeting; }},
      {"a shift beyond any", [](auto& spliced) { spliced.announcement.header.window_scale = 77; }},
      {"a header of another length", [](auto& spliced) { spliced.announcement.header.length = 200; }},
      {"a truth value that is none", [](auto& spliced) { std::memset(&spliced.client.has_flow, 3, 1); }},
  };
  for (const auto& [name, change] : all) {
    CAPTURE(name);
    const Parent parent;
    Process first(parent);
    const auto configure = [](Fixture& f) {
      f.set_pool(1, {local4}, local_port, local_port);
      f.add(tcp(), with_header());
      f.add_server(tcp(), server4, 8080, {Forwarding::fullnat});
    };
    configure(*first.fixture);
    first.fixture->receive(from_client4({.flags = SYN}));
    first.fixture->receive(from_server4({.sequence = 7, .acknowledgement = 2, .flags = SYN | ACK}, local4, local_port));
    REQUIRE(first.fixture->director.spliced_flows().size() == 1);
    change(const_cast<director::SplicedFlow&>(first.fixture->director.spliced_flows()[0]));

    Process second(parent, 2);
    configure(*second.fixture);
    const director::Restored restored = second.restore();
    CHECK(restored.flows == 0);
    CHECK(restored.lost == 1);
    CHECK(second.fixture->pool_flows(1) == 0);
    CHECK(second.fixture->director.spliced_flows().size() == 0);
    second.fixture->receive(from_client4({.flags = SYN}));
    CHECK(second.fixture->pool_flows(1) == 1);
  }
}

TEST_CASE("flows that expired meanwhile are not restored") {
  const Parent parent;
  Process first(parent);
  first.fixture->add(tcp());
  first.fixture->add_server(tcp(), server4, 8080);
  first.fixture->receive(from_client4({.flags = SYN}));

  Process second(parent);
  second.fixture->add(tcp());
  second.fixture->add_server(tcp(), server4, 8080);
  second.fixture->now += 3600 * sluice::second;
  const director::Restored restored = second.restore();
  CHECK(restored.flows == 0);
  CHECK(restored.over == 1);
}

TEST_CASE("the recorder has the last batch, with the beginning of each frame") {
  const host::Descriptor file(memfd_create("test", 0));
  CHECK_FALSE(FlightRecorder::read(file.get()).has_value());
  FlightRecorder recorder(file.get());
  REQUIRE(recorder.is_open());
  CHECK_FALSE(FlightRecorder::read(file.get()).has_value());
  Buffer small(60, 1), large(2000, 2);
  const auto frame_of = [](Buffer& bytes, PortId port) {
    director::Frame frame;
    frame.data = bytes.data();
    frame.length = static_cast<uint32_t>(bytes.size());
    frame.port = port;
    return frame;
  };
  const director::Frame frames[] = {frame_of(small, c0), frame_of(large, s0)};
  recorder.note(frames, 5 * second);
  recorder.note(std::span(frames).last(1), 7 * second);
  const auto batch = FlightRecorder::read(file.get());
  REQUIRE(batch.has_value());
  CHECK(batch->time == 7 * second);
  REQUIRE(batch->frames.size() == 1);
  CHECK(batch->frames[0].port == s0);
  CHECK(batch->frames[0].length == 2000);
  CHECK(batch->frames[0].bytes == std::vector<uint8_t>(FlightRecorder::kept_bytes, 2));
}
