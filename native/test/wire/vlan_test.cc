// SPDX-License-Identifier: Apache-2.0
#include "wire/vlan.h"

#include <doctest/doctest.h>

#include "packet_builder.h"

using namespace sluice;
using namespace sluice::test;
using wire::Malformed;

TEST_CASE("the types that announce a tag are those of 802.1Q, of 802.1ad and the older one") {
  for (const uint16_t type : {0x8100, 0x88a8, 0x9100}) CHECK(wire::is_vlan_type(type));
  for (const uint16_t type : {0x0800, 0x86dd, 0x0806, 0x0000}) CHECK(!wire::is_vlan_type(type));
}

TEST_CASE("the parts of a tag are read, and its control information is rewritten") {
  CHECK(wire::VlanView::parse(Buffer(3)).reason() == Malformed::truncated);
  Buffer tag = hex("f005 0800 ff");
  const auto read = wire::VlanView::parse(tag);
  REQUIRE(read);
  CHECK(read->id() == 5);
  CHECK(int{read->priority()} == 7);
  CHECK(read->drop_eligible());
  CHECK(read->type() == wire::ethertype::ipv4);
  CHECK(read->payload().size() == 1);

  auto rewrite = *wire::MutableVlanView::parse(tag);
  rewrite.set_tci(0x0064);
  CHECK(tag == hex("0064 0800 ff"));
  CHECK(!wire::VlanView::parse(tag)->drop_eligible());
}

TEST_CASE("a tag is printed as by tcpdump -e") {
  std::string text;
  wire::print_vlan(text, 0x3064);
  CHECK(text == "vlan 100, p 1, DEI, ");
}
