// SPDX-License-Identifier: Apache-2.0
#include "wire/gre.h"

#include <doctest/doctest.h>

#include "packet_builder.h"

using namespace sluice;
using namespace sluice::test;
using wire::Malformed;

TEST_CASE("GRE's optional fields are found in their order, in every combination") {
  for (int which = 0; which < 8; which++) {
    CAPTURE(which);
    const bool checksum = (which & 1) != 0;
    std::optional<uint32_t> key, sequence;
    if ((which & 2) != 0) key = 0x01020304;
    if ((which & 4) != 0) sequence = 42;
    const Buffer packet = PacketBuilder()
                              .gre({.checksum = checksum, .key = key, .sequence = sequence, .type = 0x86dd})
                              .payload("odd")
                              .build();
    const auto gre = wire::GreView::parse(packet);
    REQUIRE(gre);
    CHECK(gre->header_length() == 4u + 4u * static_cast<size_t>(__builtin_popcount(static_cast<unsigned>(which))));
    CHECK(gre->type() == 0x86dd);
    CHECK(gre->has_checksum() == checksum);
    CHECK(gre->is_checksum_ok());
    CHECK(gre->key() == key);
    CHECK(gre->sequence() == sequence);
    CHECK(gre->payload().size() == 3);
  }
}

TEST_CASE("a GRE checksum over other bytes is wrong") {
  Buffer packet = PacketBuilder().gre({.checksum = true}).payload("payload").build();
  packet.back() ^= 1;
  CHECK(!wire::GreView::parse(packet)->is_checksum_ok());
}

TEST_CASE("unsupported GRE headers are refused") {
  const struct {
    const char* what;
    const char* bytes;
    Malformed reason;
  } cases[] = {
      {"three bytes", "000008", Malformed::truncated},
      {"version 1, which is PPTP's", "2001880b 00000000", Malformed::bad_version},
      {"a source route (RFC 1701)", "40000800 00000000", Malformed::bad_format},
      {"reserved bits", "08000800", Malformed::bad_format},
      {"a key that is not there", "20000800 0000", Malformed::header_beyond_packet},
      {"nothing but a header", "00000800", Malformed::ok},
  };
  for (const auto& c : cases) {
    CAPTURE(c.what);
    CHECK(wire::name(wire::GreView::parse(hex(c.bytes)).reason()) == wire::name(c.reason));
  }
}
