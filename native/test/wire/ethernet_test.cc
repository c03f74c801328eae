// SPDX-License-Identifier: Apache-2.0
#include "wire/ethernet.h"

#include <doctest/doctest.h>

#include "packet_builder.h"

using namespace sluice;
using namespace sluice::test;
using wire::Malformed;

TEST_CASE("an Ethernet header shorter than 14 bytes is truncated") {
  CHECK(wire::EthernetView::parse(Buffer(13)).reason() == Malformed::truncated);
  CHECK(wire::EthernetView::parse(Buffer(14)).reason() == Malformed::ok);
}

TEST_CASE("a frame's addresses and type are read, and rewritten in place") {
  Buffer frame = hex("020000000002 020000000001 86dd ff");
  const auto read = wire::EthernetView::parse(frame);
  REQUIRE(read);
  CHECK(read->destination() == mac("02:00:00:00:00:02"));
  CHECK(read->source() == mac("02:00:00:00:00:01"));
  CHECK(read->type() == wire::ethertype::ipv6);
  CHECK(read->payload().size() == 1);
  CHECK(read->payload()[0] == 0xff);

  auto rewrite = wire::MutableEthernetView::parse(frame);
  REQUIRE(rewrite);
  rewrite->set_destination(mac("0a:00:00:00:00:0b"));
  rewrite->set_source(mac("0a:00:00:00:00:0a"));
  rewrite->set_type(wire::ethertype::ipv4);
  CHECK(frame == hex("0a000000000b 0a000000000a 0800 ff"));
}

TEST_CASE("an emitted Ethernet header reads back") {
  Buffer frame(wire::EthernetView::header_length);
  wire::emit(wire::EthernetFields{mac("ff:ff:ff:ff:ff:ff"), mac("02:00:00:00:00:01"), wire::ethertype::arp},
             frame.data());
  CHECK(frame == hex("ffffffffffff 020000000001 0806"));
  CHECK(wire::EthernetView::parse(frame)->destination().is_multicast());
}
