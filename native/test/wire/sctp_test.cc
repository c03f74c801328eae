// SPDX-License-Identifier: Apache-2.0
#include "wire/sctp.h"

#include <doctest/doctest.h>

#include "packet_builder.h"

using namespace sluice;
using namespace sluice::test;
using wire::Malformed;

namespace {
std::string printed(const Buffer& packet) {
  std::string text;
  wire::print(text, *wire::SctpView::parse(packet));
  return text;
}
}  // namespace

TEST_CASE("SCTP's common header is read, and a shorter one is truncated") {
  const Buffer packet =
      PacketBuilder().sctp({.source_port = 1, .destination_port = 2, .verification_tag = 3}).chunk().build();
  const auto sctp = wire::SctpView::parse(packet);
  REQUIRE(sctp);
  CHECK(sctp->source_port() == 1);
  CHECK(sctp->destination_port() == 2);
  CHECK(sctp->verification_tag() == 3);
  CHECK(sctp->chunks().size() == 4);
  CHECK(wire::SctpView::parse(wire::Bytes(packet).first(11)).reason() == Malformed::truncated);
}

TEST_CASE("the checksum lies on the wire least significant byte first") {
  const Buffer packet = hex("1388 1389 00000001 00000000 0b000004");
  Buffer filled = packet;
  auto sctp = *wire::MutableSctpView::parse(filled);
  CHECK(!sctp.is_checksum_ok());
  sctp.fill_checksum();
  CHECK(sctp.is_checksum_ok());
  const uint32_t crc = wire::crc32c(packet);
  CHECK(Buffer(filled.begin() + 8, filled.begin() + 12) ==
        Buffer{static_cast<uint8_t>(crc), static_cast<uint8_t>(crc >> 8), static_cast<uint8_t>(crc >> 16),
               static_cast<uint8_t>(crc >> 24)});
  sctp.set_destination_port(80);
  CHECK(!sctp.is_checksum_ok());
  sctp.set_source_port(81);
  sctp.fill_checksum();
  CHECK(sctp.is_checksum_ok());
}

TEST_CASE("the walk over chunks skips their padding and stops at the first wrong length") {
  const struct {
    const char* what;
    const char* chunks;
    std::vector<size_t> lengths;
    Malformed reason;
  } cases[] = {
      {"none", "", {}, Malformed::ok},
      {"one without a value", "0b000004", {0}, Malformed::ok},
      {"two, the first padded", "00030005 ff000000 0b000004", {1, 0}, Malformed::ok},
      {"the last without its padding", "00030005 ff", {1}, Malformed::ok},
      {"a length below the header", "0b000003 00000000", {}, Malformed::length_lies},
      {"a length past the packet", "0b000004 00000009 00000000", {0}, Malformed::length_lies},
      {"less than a header at the end", "0b000004 0b00", {0}, Malformed::truncated},
  };
  for (const auto& c : cases) {
    CAPTURE(c.what);
    const Buffer chunks = hex(c.chunks);
    wire::SctpChunkWalk walk(chunks);
    wire::SctpChunk chunk;
    std::vector<size_t> lengths;
    while (walk.next(chunk)) lengths.push_back(chunk.value.size());
    CHECK(lengths == c.lengths);
    CHECK(wire::name(walk.reason()) == wire::name(c.reason));
  }
}

TEST_CASE("chunks that are cut or unknown are printed as far as possible") {
  CHECK(printed(PacketBuilder().sctp().build()) == "sctp");
  CHECK(printed(PacketBuilder().sctp().chunk({.type = 99}).build()) == "sctp (1) [Unknown chunk type: 0x63]");
  CHECK(printed(PacketBuilder().sctp().chunk({.type = 1}).build()) == "sctp (1) [INIT] ");
  CHECK(printed(PacketBuilder().sctp().chunk({.type = 11, .length = 9}).build()) == "sctp [length-lies]");
}
