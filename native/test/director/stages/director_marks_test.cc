// SPDX-License-Identifier: Apache-2.0
// Firewall marks that the director sets itself: which packets open flows of which service.
#include "test/director/fixture.h"

using namespace sluice;
using namespace sluice::test;

namespace {

// TCP to the ports 80 and 8000-8100 of an address that the host has.
constexpr std::string_view host4 = "10.0.1.1";

director::MarkRule to_host(uint16_t first, uint16_t last, uint32_t number, uint8_t protocol = wire::protocol::tcp) {
  director::MarkRule rule;
  rule.mark = number;
  rule.destination = {address(host4), 32};
  rule.protocol = protocol;
  rule.ports = {first, last};
  return rule;
}

Buffer syn(uint16_t port, uint16_t source_port = 1024) {
  return from_client()
      .ipv4({.source = client4, .destination = host4})
      .tcp({.source_port = source_port, .destination_port = port, .flags = SYN})
      .build();
}
Buffer ack(uint16_t port, uint16_t source_port = 1024) {
  return from_client()
      .ipv4({.source = client4, .destination = host4})
      .tcp({.source_port = source_port, .destination_port = port, .flags = ACK})
      .build();
}

struct MarksFixture : Fixture {
  MarksFixture() {
    director::ServiceSettings settings;
    settings.persistence = 300;
    add(mark(5), settings);
    add_server(mark(5), server4, 0);
    add_server(mark(5), "10.0.2.12", 0);
    director.set_marks({to_host(80, 80, 5), to_host(8000, 8100, 5), to_host(9000, 9000, 9)});
  }
  Reason reason_of(const Buffer& frame, uint32_t given = 0) {
    return receive(frame, {.port = c0, .mark = given}).decision.reason;
  }
  bool was_told(std::string_view step) {
    return std::find(trace.steps().begin(), trace.steps().end(), step) != trace.steps().end();
  }
};

}  // namespace

TEST_CASE("rules group ports into one service, and other ports stay apart") {
  MarksFixture f;
  CHECK(f.reason_of(syn(80)) == Reason::scheduled);
  CHECK(f.was_told("firewall mark 5 by rule 1: tcp to 10.0.1.1/32 port 80"));
  CHECK(f.reason_of(syn(8050, 1025)) == Reason::persistent);
  CHECK(f.was_told("firewall mark 5 by rule 2: tcp to 10.0.1.1/32 ports 8000-8100"));
  CHECK(f.reason_of(syn(22, 1026)) == Reason::no_service);
  CHECK(f.reason_of(syn(9000, 1027)) == Reason::no_service);
  CHECK(f.was_told("firewall mark 9 by rule 3: tcp to 10.0.1.1/32 port 9000"));
}

TEST_CASE("a mark that a frame already has precedes the rules") {
  MarksFixture f;
  f.add(mark(7));
  f.add_server(mark(7), "10.0.2.13", 0);
  const Outcome outcome = f.receive(syn(80), {.port = c0, .mark = 7});
  CHECK(outcome.decision.reason == Reason::scheduled);
  CHECK(f.server_of(mark(7), "10.0.2.13").flows == 1);
}

TEST_CASE("a flow goes on after the rules by which it was opened were removed") {
  MarksFixture f;
  CHECK(f.reason_of(syn(80)) == Reason::scheduled);
  f.director.set_marks({});
  CHECK(f.reason_of(ack(80)) == Reason::established);
  CHECK(f.reason_of(syn(80, 1025)) == Reason::no_service);
}

TEST_CASE("fragments of a marked datagram to the host's own address follow their first") {
  MarksFixture f;
  f.director.set_marks({to_host(53, 53, 5, wire::protocol::udp)});
  const Buffer whole = ipv4().udp({.source_port = 1234, .destination_port = 53}).payload(Buffer(120, 6)).build();
  const auto piece = [&](uint16_t offset, uint16_t length, bool more) {
    return from_client()
        .ipv4({.source = client4, .destination = host4, .id = 1, .offset = offset, .more = more, .protocol = 17})
        .payload(Buffer(whole.begin() + 20 + offset, whole.begin() + 20 + offset + length))
        .build();
  };
  CHECK(f.reason_of(piece(64, 64, false)) == Reason::fragment_held);
  const Outcome first = f.receive(piece(0, 64, true));
  CHECK(first.decision.reason == Reason::scheduled);
  CHECK(first.out.size() == 2);
}
