// SPDX-License-Identifier: Apache-2.0
#include "port/partial_checksum.h"

#include <doctest/doctest.h>

#include "packet_builder.h"

using namespace sluice;
using test::Buffer;
using test::operator+;
using test::Sum;

namespace {

Buffer completed(Buffer frame) {
  port::complete_partial_checksum(frame);
  return frame;
}

struct Case {
  const char* what;
  Buffer partial, complete;
};

// Each packet twice: with a complete and with a partial checksum; of odd and even length, which sums treat differently.
std::vector<Case> cases() {
  std::vector<Case> all;
  for (const char* payload : {"", "odd", "even"}) {
    const auto both = [&](const char* what, const auto& frame) {
      all.push_back({what, frame(Sum::partial, payload), frame(Sum::right, payload)});
    };
    both("TCP over IPv4",
         [](Sum sum, const char* data) { return test::ethernet().ipv4().tcp({.sum = sum}).payload(data).build(); });
    both("UDP over IPv4",
         [](Sum sum, const char* data) { return test::ethernet().ipv4().udp({.sum = sum}).payload(data).build(); });
    both("TCP over IPv6",
         [](Sum sum, const char* data) { return test::ethernet().ipv6().tcp({.sum = sum}).payload(data).build(); });
    both("UDP over IPv6",
         [](Sum sum, const char* data) { return test::ethernet().ipv6().udp({.sum = sum}).payload(data).build(); });
    both("behind VLAN tags", [](Sum sum, const char* data) {
      return test::ethernet().vlan(5).vlan(6).ipv4().tcp({.sum = sum}).payload(data).build();
    });
    both("behind IPv4 options", [](Sum sum, const char* data) {
      return test::ethernet().ipv4({.options = {1, 1, 1, 1}}).udp({.sum = sum}).payload(data).build();
    });
    both("behind IPv6 extension headers", [](Sum sum, const char* data) {
      return test::ethernet().ipv6().hop_by_hop().tcp({.sum = sum}).payload(data).build();
    });
  }
  return all;
}

}  // namespace

TEST_CASE("a partial checksum is completed, and a complete one stays") {
  for (const Case& one : cases()) {
    CAPTURE(one.what);
    CHECK(one.partial != one.complete);
    CHECK(completed(one.partial) == one.complete);
    CHECK(completed(one.complete) == one.complete);
  }
}

TEST_CASE("padding after the packet does not count") {
  const Buffer padding(6, 0xff);
  const Buffer partial = test::ethernet().ipv4().udp({.sum = Sum::partial}).payload("x").build();
  const Buffer complete = test::ethernet().ipv4().udp().payload("x").build();
  CHECK(completed(partial + padding) == complete + padding);
}

TEST_CASE("a complete checksum that equals the pseudo-header's sum stays") {
  // The two bytes of data are chosen such that the remaining sum is the complement of the pseudo-header's sum.
  size_t equal = 0;
  for (uint32_t data = 0; data <= 0xffff; data++) {
    const Buffer payload = {static_cast<uint8_t>(data >> 8), static_cast<uint8_t>(data)};
    const auto frame = [&](Sum sum) { return test::ethernet().ipv4().udp({.sum = sum}).payload(payload).build(); };
    const Buffer complete = frame(Sum::right);
    if (complete != frame(Sum::partial)) continue;
    equal++;
    CHECK(completed(complete) == complete);
  }
  CHECK(equal > 0);
}

TEST_CASE("an SCTP checksum of zero is computed") {
  const auto frame = [](std::optional<uint32_t> checksum) {
    return test::ethernet().ipv4().sctp({.checksum = checksum}).chunk().build();
  };
  CHECK(completed(frame(0)) == frame({}));
  CHECK(completed(frame(5)) == frame(5));
}

TEST_CASE("a frame whose checksum no device would complete stays") {
  const std::pair<const char*, Buffer> frames[] = {
      {"a UDP datagram without checksum", test::ethernet().ipv4().udp({.checksum = 0}).payload("data").build()},
      {"a wrong checksum", test::ethernet().ipv4().tcp({.checksum = 7}).payload("data").build()},
      {"the first of several fragments",
       test::ethernet().ipv4({.more = true}).udp({.sum = Sum::partial}).payload("12345678").build()},
      {"ARP", test::ethernet().arp().build()},
      {"ICMP", test::ethernet().ipv4().icmp().build()},
      {"half a TCP header", test::ethernet().ipv4({.protocol = 6}).payload("0123456789").build()},
      {"a packet longer than its frame",
       test::ethernet().ipv4({.total_length = 99}).udp({.sum = Sum::partial}).build()},
      {"no packet at all", Buffer(14)},
  };
  for (const auto& [what, frame] : frames) {
    CAPTURE(what);
    CHECK(completed(frame) == frame);
  }
}
