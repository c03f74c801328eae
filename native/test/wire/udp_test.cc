// SPDX-License-Identifier: Apache-2.0
#include "wire/udp.h"

#include <doctest/doctest.h>

#include "packet_builder.h"

using namespace sluice;
using namespace sluice::test;
using wire::Malformed;

TEST_CASE("a UDP header's fields are read, and the view ends with the datagram") {
  const Buffer bytes = hex("0001 0002 000a 1234 aabb cc");
  const auto udp = wire::UdpView::parse(bytes);
  REQUIRE(udp);
  CHECK(udp->source_port() == 1);
  CHECK(udp->destination_port() == 2);
  CHECK(udp->length() == 10);
  CHECK(udp->checksum() == wire::raw16(0x1234));
  CHECK(udp->payload().size() == 2);
}

TEST_CASE("wrong UDP lengths are refused") {
  const Buffer bytes(12);
  CHECK(wire::UdpView::parse(wire::Bytes(bytes).first(7)).reason() == Malformed::truncated);
  for (uint16_t length = 0; length < 20; length++) {
    CAPTURE(length);
    Buffer datagram(12);
    wire::store_be16(&datagram[4], length);
    CHECK((wire::UdpView::parse(datagram).reason() == Malformed::ok) == (length >= 8 && length <= 12));
  }
}

TEST_CASE("a UDP header is rewritten in place and its checksum filled in over the pseudo-header") {
  Buffer packet = ipv6().udp({.checksum = 0}).payload("abc").build();
  auto udp = *wire::MutableUdpView::parse(wire::MutableBytes(packet).subspan(40));
  udp.set_source_port(1);
  udp.set_destination_port(2);
  udp.fill_checksum(wire::pseudo_header_sum(address("2001:db8::2").v6(), address("2001:db8::100").v6(), 17, 11));
  CHECK(packet == ipv6().udp({.source_port = 1, .destination_port = 2}).payload("abc").build());
  udp.set_length(8);
  CHECK(wire::UdpView::parse(wire::Bytes(packet).subspan(40))->payload().empty());
}
