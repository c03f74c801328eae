// SPDX-License-Identifier: Apache-2.0
#include "wire/icmp.h"

#include <doctest/doctest.h>

#include "packet_builder.h"

using namespace sluice;
using namespace sluice::test;
using wire::Malformed;

TEST_CASE("an echo's id, sequence and data are read") {
  const Buffer message = PacketBuilder().icmp({.type = 8, .rest = 0x00070009}).payload("ping").build();
  const auto icmp = wire::IcmpView::parse(message);
  REQUIRE(icmp);
  CHECK(icmp->is_echo());
  CHECK(!icmp->is_error());
  CHECK(icmp->id() == 7);
  CHECK(icmp->sequence() == 9);
  CHECK(icmp->payload().size() == 4);
  CHECK(icmp->is_checksum_ok());
  CHECK(wire::IcmpView::parse(wire::Bytes(message).first(7)).reason() == Malformed::truncated);
}

TEST_CASE("types that quote a packet are errors, all others are not") {
  for (int type = 0; type < 256; type++) {
    Buffer message(8);
    message[0] = static_cast<uint8_t>(type);
    const bool error = type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
    CHECK(wire::IcmpView::parse(message)->is_error() == error);
  }
}

TEST_CASE("a message is rewritten in place") {
  Buffer message = PacketBuilder().icmp({.type = 8, .rest = 0x00070009}).payload("ping").build();
  auto icmp = *wire::MutableIcmpView::parse(message);
  icmp.set_type(wire::icmp_type::echo_reply);
  icmp.set_id(8);
  icmp.fill_checksum();
  CHECK(message == PacketBuilder().icmp({.type = 0, .rest = 0x00080009}).payload("ping").build());
  icmp.set_type(wire::icmp_type::unreachable);
  icmp.set_code(wire::icmp_code::fragmentation_needed);
  icmp.set_next_hop_mtu(1480);
  CHECK(icmp.next_hop_mtu() == 1480);
  CHECK(int{icmp.code()} == 4);
}

TEST_CASE("an error that quotes no packet is printed without one") {
  const Buffer message = PacketBuilder().icmp({.type = 3, .code = 1, .rest = 0}).payload("?").build();
  std::string text;
  wire::print(text, *wire::IcmpView::parse(message), message.size());
  CHECK(text == "ICMP type-#3 code 1 [quotes no packet], length 9");
}
