// SPDX-License-Identifier: Apache-2.0
// Tests FlowStates alone with a flow and packets, without a director.
#include "director/tracking/flow_state.h"

#include "test/director/fixture.h"

using namespace sluice;
using namespace sluice::director;
using namespace sluice::test;
using wire::Ipv4Address;
using wire::Ipv6Address;

namespace {

struct Tables {
  Tables() {
    table.limit = 16;
    table.memory = &memory::process_memory();
    flows4.emplace(table, services, pools, spliced);
    flows6.emplace(table, services, pools, spliced);
    states.emplace(FlowKeepers(*flows4, *flows6), services, timeouts, defence);
    REQUIRE(services.add_service(tcp(), {}) == EditResult::done);
    REQUIRE(services.add_destination(tcp(), Fixture::server(server4, 80)) == EditResult::done);
    server = services.find(tcp())->destinations.front();
  }

  // A flow that the client has just opened.
  Flow<Ipv4Address>& open(uint8_t protocol, uint16_t flags = 0) {
    Flow<Ipv4Address> flow;
    flow.forward = {address(client4).v4(), address(vip4).v4(), 1234, 80};
    flow.reverse = {address(server4).v4(), address(client4).v4(), 80, 1234};
    flow.protocol = protocol;
    flow.flags = static_cast<uint16_t>(flow_has_reverse | flags);
    Flow<Ipv4Address>* const opened = flows4->open(flow, server, tick_at(now) + ticks(opening_time));
    REQUIRE(opened != nullptr);
    return *opened;
  }
  void pass(Flow<Ipv4Address>& flow, Seen seen, uint8_t tcp_flags = 0) {
    wire::Packet packet;
    packet.protocol = flow.protocol;
    packet.tcp_flags = tcp_flags;
    packet.l3_length = 60;
    Frame frame;
    TransmitQueue out;
    const Transit<Ipv4Address> t{frame, packet, now, out, nullptr, flow.forward};
    states->advance_state(t, flow, seen);
    states->count_packet(t, flow, seen == Seen::from_client);
  }

  FlowTableOptions table;
  ServiceTable services{seeded(1), memory::process_memory(), nullptr, {}};
  LocalPools pools{seeded(1), 0, 1, memory::process_memory()};
  SplicedFlows spliced{16, memory::process_memory(), memory::process_memory()};
  std::optional<FlowKeeper<Ipv4Address>> flows4;
  std::optional<FlowKeeper<Ipv6Address>> flows6;
  Timeouts timeouts;
  Defence defence{seeded(1), 0};
  std::optional<FlowStates> states;
  Destination* server = nullptr;
  Time now = 1000 * second;
};

}  // namespace

TEST_CASE("a TCP flow follows the flags of its packets, and lives for its state's timeout") {
  struct Line {
    Seen seen;
    uint8_t flags;
    TcpState state;
  };
  const Line lines[] = {
      {Seen::from_client, SYN, TcpState::syn_recv},        {Seen::from_server, SYN | ACK, TcpState::syn_recv},
      {Seen::from_client, ACK, TcpState::established},     {Seen::from_client, FIN | ACK, TcpState::close_wait},
      {Seen::from_server, FIN | ACK, TcpState::time_wait},
  };
  Tables tables;
  Flow<Ipv4Address>& flow = tables.open(wire::protocol::tcp);
  for (const Line& line : lines) {
    CAPTURE(name(line.state));
    tables.now += second;
    tables.pass(flow, line.seen, line.flags);
    CHECK(name(static_cast<TcpState>(flow.state)) == name(line.state));
    CHECK(flow.deadline == tick_at(tables.now) + ticks(tables.timeouts.of(line.state)));
    const bool is_active =
        line.state == TcpState::syn_recv || line.state == TcpState::established;  // as the kernel counts
    CHECK(tables.server->active == (is_active ? 1 : 0));
    CHECK(tables.server->inactive == (is_active ? 0 : 1));
  }
  CHECK(tables.server->counters.packets_in == 3);
  CHECK(tables.server->counters.packets_out == 2);
  CHECK(tables.server->counters.bytes_in == 180);
}

TEST_CASE("a packet of the server ends the input_only passage") {
  Tables tables;
  Flow<Ipv4Address>& flow = tables.open(wire::protocol::udp, flow_flag::no_output);
  tables.pass(flow, Seen::from_client);
  CHECK((flow.flags & flow_flag::no_output) != 0);
  tables.pass(flow, Seen::from_server);
  CHECK((flow.flags & flow_flag::no_output) == 0);
}

TEST_CASE("no packet counts for a removed server") {
  Tables tables;
  Flow<Ipv4Address>& flow = tables.open(wire::protocol::udp);
  REQUIRE(tables.services.remove_destination(tcp(), address(server4), 80) == EditResult::done);
  tables.pass(flow, Seen::from_client);
  CHECK(tables.server->counters.packets_in == 0);
}
