// SPDX-License-Identifier: Apache-2.0
#include "wire/icmpv6.h"

#include <doctest/doctest.h>

#include "packet_builder.h"

using namespace sluice;
using namespace sluice::test;
using wire::Malformed;

namespace {
const Buffer solicitation = hex("87000000 00000000 20010db8000000000000000000000001 0101 020000000001");
}

TEST_CASE("messages below 128 are errors, and packet-too-big has an MTU of 32 bits") {
  const Buffer message = PacketBuilder().icmpv6({.type = 2, .rest = 70000}).build();
  const auto icmp = wire::Icmpv6View::parse(message);
  REQUIRE(icmp);
  CHECK(icmp->is_error());
  CHECK(icmp->mtu() == 70000);
  CHECK(!wire::Icmpv6View::parse(Buffer{128, 0, 0, 0, 0, 1, 0, 2})->is_error());
  CHECK(wire::Icmpv6View::parse(Buffer(7)).reason() == Malformed::truncated);
}

TEST_CASE("a message is rewritten in place and its checksum filled in over the pseudo-header") {
  Buffer packet = ipv6().icmpv6({.type = 128, .rest = 0x00070009}).payload("ping").build();
  auto icmp = *wire::MutableIcmpv6View::parse(wire::MutableBytes(packet).subspan(40));
  icmp.set_type(wire::icmpv6_type::echo_reply);
  icmp.set_id(8);
  icmp.fill_checksum(wire::pseudo_header_sum(address("2001:db8::2").v6(), address("2001:db8::100").v6(), 58, 12));
  CHECK(packet == ipv6().icmpv6({.type = 129, .rest = 0x00080009}).payload("ping").build());
  icmp.set_mtu(1280);
  CHECK(icmp.mtu() == 1280);
}

TEST_CASE("a neighbour solicitation has the target and the sender's link address") {
  const auto message = wire::NeighbourView::parse(solicitation);
  REQUIRE(message);
  CHECK(!message->is_advertisement());
  CHECK(message->target() == address("2001:db8::1").v6());
  CHECK(message->link_address(wire::neighbour_option::source_link_address) == mac("02:00:00:00:00:01"));
  CHECK(!message->link_address(wire::neighbour_option::target_link_address));
}

TEST_CASE("the walk over neighbour options skips unknown ones and refuses wrong lengths") {
  const Buffer fixed(solicitation.begin(), solicitation.begin() + 24);
  const struct {
    const char* what;
    const char* options;
    Malformed reason;
    bool has_address;
  } cases[] = {
      {"none", "", Malformed::ok, false},
      {"a nonce before the address", "0e01000000000000 0101020000000001", Malformed::ok, true},
      {"an address of another medium", "0102 0200000000010000000000000000", Malformed::ok, false},
      {"a length of zero", "0100020000000001", Malformed::bad_option, false},
      {"a length past the message", "0102020000000001", Malformed::bad_option, false},
      {"half an option", "01010200", Malformed::bad_option, false},
  };
  for (const auto& c : cases) {
    CAPTURE(c.what);
    const Buffer bytes = fixed + hex(c.options);
    const auto message = wire::NeighbourView::parse(bytes);
    CHECK(wire::name(message.reason()) == wire::name(c.reason));
    if (message) CHECK(message->link_address(1).has_value() == c.has_address);
  }
  CHECK(wire::NeighbourView::parse(wire::Bytes(fixed).first(23)).reason() == Malformed::truncated);
  CHECK(wire::NeighbourView::parse(Buffer(24)).reason() == Malformed::bad_format);
}

TEST_CASE("an emitted advertisement reads back, with the target's address as its option") {
  Buffer message(wire::NeighbourFields::length);
  wire::emit(wire::NeighbourFields{.flags = wire::NeighbourView::solicited_flag | wire::NeighbourView::override_flag,
                                   .target = address("2001:db8::1").v6(),
                                   .link_address = mac("02:00:00:00:00:01")},
             message.data());
  CHECK(message == hex("88000000 60000000 20010db8000000000000000000000001 0201 020000000001"));
  CHECK(wire::NeighbourView::parse(message)->is_advertisement());
}
