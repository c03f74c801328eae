// SPDX-License-Identifier: Apache-2.0
#include "director/network/firewall_marks.h"

#include <doctest/doctest.h>

#include "packet_builder.h"
#include "wire/protocol.h"

using namespace sluice;
using director::MarkedPacket;
using director::MarkRule;
using test::address;
using wire::protocol::icmp;
using wire::protocol::tcp;
using wire::protocol::udp;

namespace {

constexpr director::PortId c0 = 0, s0 = 1;

MarkRule::Network network(const char* text, uint8_t prefix_length) {
  return {address(text), prefix_length};
}

std::vector<MarkRule> rules() {
  return {{.mark = 1, .port = s0, .source = {}, .destination = {}, .protocol = 0, .ports = {}},
          {.mark = 2, .source = network("10.0.1.16", 28), .destination = {}, .ports = {}},
          {.mark = 3, .source = {}, .destination = {}, .protocol = udp, .ports = {{53, 53}}},
          {.mark = 4, .source = {}, .destination = network("10.0.1.100", 32), .protocol = tcp, .ports = {{8000, 8100}}},
          {.mark = 5, .source = {}, .destination = network("10.0.1.100", 32), .ports = {}},
          {.mark = 6, .source = {}, .destination = network("2001:db8:1::", 63), .protocol = tcp, .ports = {}}};
}

uint32_t mark_of(const MarkedPacket& packet) {
  director::FirewallMarks marks;
  marks.set(rules());
  const auto number = marks.find(packet);
  return number ? marks.rules()[*number].mark : 0;
}

}  // namespace

TEST_CASE("the first rule that matches a packet gives its mark") {
  struct Row {
    const char* what;
    MarkedPacket packet;
    uint32_t mark;
  };
  const wire::Address other = address("10.9.0.9"), vip = address("10.0.1.100");
  const std::vector<Row> rows = {
      {"the port that it came on", {s0, tcp, other, other, 1}, 1},
      {"the first of those that fit", {s0, tcp, address("10.0.1.17"), vip, 8000}, 1},
      {"the last address of a network", {c0, tcp, address("10.0.1.31"), other, 1}, 2},
      {"the one behind it", {c0, tcp, address("10.0.1.32"), other, 1}, 0},
      {"a protocol and a port", {c0, udp, other, other, 53}, 3},
      {"another port", {c0, udp, other, other, 54}, 0},
      {"another protocol", {c0, tcp, other, other, 53}, 0},
      {"the first of a range", {c0, tcp, other, vip, 8000}, 4},
      {"the last of a range", {c0, tcp, other, vip, 8100}, 4},
      {"behind the range", {c0, tcp, other, vip, 8101}, 5},
      {"no port, as later fragments", {c0, tcp, other, vip, std::nullopt}, 5},
      {"a protocol without ports", {c0, icmp, other, vip, std::nullopt}, 5},
      {"nothing that fits", {c0, tcp, other, address("10.0.1.101"), 8000}, 0},
      {"an IPv6 network", {c0, tcp, address("2001:db8:9::1"), address("2001:db8:1::1"), 80}, 6},
      {"another one", {c0, tcp, address("2001:db8:9::1"), address("2001:db8:2::1"), 80}, 0},
      {"an IPv6 address that begins with the bytes of an IPv4 one", {c0, tcp, other, address("a00:164::"), 80}, 0},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    CHECK(mark_of(row.packet) == row.mark);
  }
}

TEST_CASE("a later fragment may belong to a datagram with a mark, whatever port its first fragment has") {
  director::FirewallMarks marks;
  marks.set(rules());
  CHECK(marks.may_mark_datagram({c0, udp, address("10.9.0.9"), address("10.9.0.1"), std::nullopt}));
  CHECK_FALSE(marks.may_mark_datagram({c0, tcp, address("10.9.0.9"), address("10.9.0.1"), std::nullopt}));
  marks.set({});
  CHECK_FALSE(marks.may_mark_datagram({c0, udp, address("10.9.0.9"), address("10.9.0.1"), std::nullopt}));
}

TEST_CASE("a rule is printed as it was written") {
  CHECK(to_text(rules()[3]) == "tcp to 10.0.1.100/32 ports 8000-8100");
  CHECK(to_text(rules()[2]) == "udp port 53");
  CHECK(to_text(rules()[1]) == "any protocol from 10.0.1.16/28");
}
