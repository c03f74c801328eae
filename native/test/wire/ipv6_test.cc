// SPDX-License-Identifier: Apache-2.0
#include "wire/ipv6.h"

#include <doctest/doctest.h>

#include "packet_builder.h"

using namespace sluice;
using namespace sluice::test;
using wire::Malformed;

TEST_CASE("an IPv6 header's fields are read, without the frame's padding") {
  Buffer packet =
      ipv6({.hop_limit = 7, .traffic_class = 0xb8, .flow_label = 0xabcde, .next_header = 17}).payload("abc").build();
  packet.push_back(0);
  const auto ip = wire::Ipv6View::parse(packet);
  REQUIRE(ip);
  CHECK(int{ip->traffic_class()} == 0xb8);
  CHECK(ip->flow_label() == 0xabcde);
  CHECK(ip->payload_length() == 3);
  CHECK(int{ip->next_header()} == 17);
  CHECK(int{ip->hop_limit()} == 7);
  CHECK(ip->source() == address("2001:db8::2").v6());
  CHECK(ip->destination() == address("2001:db8::100").v6());
  CHECK(ip->payload().size() == 3);
}

TEST_CASE("IPv6 headers with impossible lengths or version are refused") {
  const struct {
    const char* what;
    Buffer bytes;
    Malformed reason, quoted;  // quoted: the reason for a quotation, where packets are cut
  } cases[] = {
      {"nothing", {}, Malformed::truncated, Malformed::truncated},
      {"39 bytes", Buffer(39, 0x60), Malformed::truncated, Malformed::truncated},
      {"version 4", ipv6({.version = 4}).build(), Malformed::bad_version, Malformed::bad_version},
      {"longer than what is here", ipv6({.payload_length = 1}).build(), Malformed::length_lies, Malformed::ok},
      {"a jumbogram", ipv6({.payload_length = 0}).hop_by_hop().build(), Malformed::jumbogram, Malformed::jumbogram},
      {"exactly a header", ipv6().build(), Malformed::ok, Malformed::ok},
  };
  for (const auto& c : cases) {
    CAPTURE(c.what);
    CHECK(wire::name(wire::Ipv6View::parse(c.bytes).reason()) == wire::name(c.reason));
    CHECK(wire::name(wire::Ipv6View::parse_quoted(c.bytes).reason()) == wire::name(c.quoted));
  }
}

TEST_CASE("an IPv6 header is rewritten in place") {
  Buffer packet = ipv6({.flow_label = 0xabcde}).payload("abc").build();
  auto ip = *wire::MutableIpv6View::parse(packet);
  ip.set_traffic_class(0xff);
  ip.set_payload_length(2);
  ip.set_next_header(6);
  ip.set_hop_limit(1);
  ip.set_source(address("fd00::1").v6());
  ip.set_destination(address("fd00::2").v6());
  CHECK(packet == ipv6({.source = "fd00::1",
                        .destination = "fd00::2",
                        .hop_limit = 1,
                        .traffic_class = 0xff,
                        .flow_label = 0xabcde,
                        .next_header = 6,
                        .payload_length = 2})
                      .payload("abc")
                      .build());
}

TEST_CASE("extension headers lead to the transport header") {
  const struct {
    const char* what;
    Buffer packet;
    uint8_t protocol;
    uint16_t transport;
  } cases[] = {
      {"none", ipv6().tcp().build(), 6, 40},
      {"hop-by-hop options of sixteen bytes", ipv6().hop_by_hop(Buffer(14)).tcp().build(), 6, 56},
      {"an authentication header, counted in words of four bytes", ipv6().ah().udp().build(), 17, 64},
      {"a fragment header of a whole datagram", ipv6().fragment().udp().build(), 17, 48},
      {"one of each", ipv6().hop_by_hop().destination_options().routing().fragment().ah().tcp().build(), 6, 96},
      {"an unknown header ends the walk", ipv6({.next_header = 200}).payload("x").build(), 200, 40},
      {"no next header, whatever follows (RFC 8200 4.7)", ipv6({.next_header = 59}).payload("x").build(), 59, 40},
  };
  for (const auto& c : cases) {
    CAPTURE(c.what);
    wire::Ipv6Chain chain;
    REQUIRE(wire::walk_extension_headers(*wire::Ipv6View::parse(c.packet), chain) == Malformed::ok);
    CHECK(int{chain.protocol} == int{c.protocol});
    CHECK(chain.transport == c.transport);
  }
}

TEST_CASE("a chain of extension headers that is cut anywhere is malformed, and is never read past its end") {
  const Buffer whole = ipv6().hop_by_hop().destination_options().routing().ah().build();
  for (size_t length = 40; length < whole.size(); length++) {
    const Buffer cut(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(length));
    wire::Ipv6Chain chain;
    const Malformed reason = wire::walk_extension_headers(*wire::Ipv6View::parse_quoted(cut), chain);
    CHECK((reason == Malformed::truncated || reason == Malformed::header_beyond_packet));
    CHECK(chain.transport <= length);
  }
}

TEST_CASE("a fragment header is read, and its id rewritten") {
  Buffer bytes = hex("11 00 05c9 0000002a ff");
  const auto read = wire::Ipv6FragmentView::parse(bytes);
  REQUIRE(read);
  CHECK(int{read->next_header()} == 17);
  CHECK(read->offset() == 0x5c8);
  CHECK(read->has_more_fragments());
  CHECK(read->id() == 42);
  CHECK(read->payload().size() == 1);
  auto rewrite = *wire::MutableIpv6FragmentView::parse(bytes);
  rewrite.set_id(7);
  CHECK(bytes == hex("11 00 05c9 00000007 ff"));
  CHECK(wire::Ipv6FragmentView::parse(Buffer(7)).reason() == Malformed::truncated);
}
