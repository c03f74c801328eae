// SPDX-License-Identifier: Apache-2.0
#include "wire/ipv4.h"

#include <doctest/doctest.h>

#include "packet_builder.h"

using namespace sluice;
using namespace sluice::test;
using wire::Malformed;

TEST_CASE("an IPv4 header's fields are read") {
  const Buffer packet = ipv4({.ttl = 7,
                              .tos = 0xb8,
                              .id = 0x1234,
                              .offset = 1480,
                              .more = true,
                              .options = hex("01010100"),
                              .protocol = 17})
                            .payload("abc")
                            .build();
  const auto ip = wire::Ipv4View::parse(packet);
  REQUIRE(ip);
  CHECK(ip->header_length() == 24);
  CHECK(int{ip->tos()} == 0xb8);
  CHECK(ip->total_length() == 27);
  CHECK(ip->id() == 0x1234);
  CHECK(ip->fragment_offset() == 1480);
  CHECK(ip->has_more_fragments());
  CHECK(ip->is_fragment());
  CHECK(!ip->is_unfragmentable());
  CHECK(int{ip->ttl()} == 7);
  CHECK(int{ip->protocol()} == 17);
  CHECK(ip->source() == address("10.0.1.2").v4());
  CHECK(ip->destination() == address("10.0.1.100").v4());
  CHECK(ip->options().size() == 4);
  CHECK(ip->payload().size() == 3);
  CHECK(ip->is_checksum_ok());
}

TEST_CASE("IPv4 headers with impossible lengths or version are refused") {
  const struct {
    const char* what;
    Buffer bytes;
    Malformed reason, quoted;  // quoted: the reason for a quotation, where packets are cut
  } cases[] = {
      {"nothing", {}, Malformed::truncated, Malformed::truncated},
      {"19 bytes", Buffer(19, 0x45), Malformed::truncated, Malformed::truncated},
      {"version 6", ipv4({.version = 6}).build(), Malformed::bad_version, Malformed::bad_version},
      {"four words", ipv4({.header_words = 4}).build(), Malformed::header_too_short, Malformed::header_too_short},
      {"six words of five", ipv4({.header_words = 6}).build(), Malformed::header_beyond_packet,
       Malformed::header_beyond_packet},
      {"shorter than its header", ipv4({.total_length = 19}).build(), Malformed::length_lies, Malformed::length_lies},
      {"longer than what is here", ipv4({.total_length = 21}).build(), Malformed::length_lies, Malformed::ok},
      {"exactly a header", ipv4().build(), Malformed::ok, Malformed::ok},
  };
  for (const auto& c : cases) {
    CAPTURE(c.what);
    CHECK(wire::name(wire::Ipv4View::parse(c.bytes).reason()) == wire::name(c.reason));
    CHECK(wire::name(wire::Ipv4View::parse_quoted(c.bytes).reason()) == wire::name(c.quoted));
  }
}

TEST_CASE("IPv4 options need correct lengths; routes and timestamps also need a pointer") {
  const struct {
    const char* what;
    const char* options;
    bool ok;
  } cases[] = {
      {"none", "", true},
      {"no operations", "01010101", true},
      {"the end of the list hides what follows", "00ffffff", true},
      {"an unknown option", "94040000", true},
      {"a length of zero", "94000000", false},
      {"a length of one", "94010000", false},
      {"a length past the header", "94050000", false},
      {"a kind without a length", "01010194", false},
      {"a record route", "07070400000000 01", true},
      {"a record route that is full", "07070800000000 01", true},
      {"a record route without a pointer", "07020101", false},
      {"a record route that points into its header", "07070300000000 01", false},
      {"a source route that points into its header", "83070300000000 01", false},
      {"timestamps", "440c0500 00000000 00000000", true},
      {"timestamps without their flags", "44030501", false},
      {"timestamps that point into their header", "440c0400 00000000 00000000", false},
  };
  for (const auto& c : cases) {
    CAPTURE(c.what);
    CHECK(wire::ipv4_options_ok(hex(c.options)) == c.ok);
  }
}

TEST_CASE("an IPv4 header is rewritten in place, and its checksum is updated on request") {
  Buffer packet = ipv4().payload("abc").build();
  auto ip = *wire::MutableIpv4View::parse(packet);
  ip.set_source(address("192.0.2.1").v4());
  ip.set_destination(address("192.0.2.2").v4());
  ip.set_tos(1);
  ip.set_id(2);
  ip.set_flags_and_offset(wire::Ipv4View::dont_fragment);
  ip.set_protocol(6);
  ip.set_total_length(22);
  CHECK(!ip.is_checksum_ok());
  ip.fill_checksum();
  CHECK(ip.is_checksum_ok());
  const auto read = *wire::Ipv4View::parse(packet);
  CHECK(read.source() == address("192.0.2.1").v4());
  CHECK(read.destination() == address("192.0.2.2").v4());
  CHECK(read.is_unfragmentable());
  CHECK(!read.is_fragment());
  CHECK(read.payload().size() == 2);
}

TEST_CASE("decrementing the TTL keeps the checksum right for every TTL") {
  for (int ttl = 255; ttl >= 1; ttl--) {
    Buffer packet = ipv4({.ttl = static_cast<uint8_t>(ttl)}).build();
    auto ip = *wire::MutableIpv4View::parse(packet);
    ip.decrement_ttl();
    CHECK(packet == ipv4({.ttl = static_cast<uint8_t>(ttl - 1)}).build());
  }
}
