// SPDX-License-Identifier: Apache-2.0
#include "wire/checksum.h"

#include <doctest/doctest.h>

#include <random>

#include "packet_builder.h"

using namespace sluice;
using namespace sluice::test;

namespace {

Buffer random_bytes(std::mt19937& random, size_t size) {
  Buffer bytes(size);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
  return bytes;
}

// The definition of RFC 1071: word by word in network byte order.
uint16_t checksum_by_definition(wire::Bytes bytes) {
  uint32_t sum = 0;
  for (size_t i = 0; i < bytes.size(); i++) sum += static_cast<uint32_t>(bytes[i]) << (i % 2 == 0 ? 8 : 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return wire::raw16(static_cast<uint16_t>(~sum));
}

uint32_t crc32c_by_definition(wire::Bytes bytes) {
  uint32_t crc = ~0u;
  for (const uint8_t byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78 : 0);
  }
  return ~crc;
}

wire::Bytes text(const char* at) {
  return {reinterpret_cast<const uint8_t*>(at), std::strlen(at)};
}

}  // namespace

TEST_CASE("the example of RFC 1071 sums up to ddf2") {
  const Buffer bytes = hex("0001 f203 f4f5 f6f7");
  CHECK(wire::fold(wire::sum_bytes(bytes)) == wire::raw16(0xddf2));
  CHECK(wire::internet_checksum(bytes) == wire::raw16(0x220d));
}

TEST_CASE("the checksum of a well-known IPv4 header is right") {
  CHECK(wire::internet_checksum(hex("4500 0073 0000 4000 4011 0000 c0a80001 c0a800c7")) == wire::raw16(0xb861));
}

TEST_CASE("sums are right at every length and alignment") {
  std::mt19937 random(1);
  const Buffer bytes = random_bytes(random, 200);
  for (size_t start = 0; start < 16; start++) {
    for (size_t length = 0; start + length <= bytes.size(); length++) {
      const wire::Bytes piece = wire::Bytes(bytes).subspan(start, length);
      REQUIRE(wire::internet_checksum(piece) == checksum_by_definition(piece));
    }
  }
}

TEST_CASE("carries are not lost among bytes that are all ones, in packets of maximum length") {
  for (const size_t length : {1u, 7u, 8u, 9u, 40u, 1500u, 65535u}) {
    const Buffer bytes(length, 0xff);
    CAPTURE(length);
    CHECK(wire::internet_checksum(bytes) == checksum_by_definition(bytes));
    CHECK(wire::fold(wire::sum_bytes(bytes, ~wire::Sum{0})) == wire::fold(wire::sum_bytes(bytes)));
  }
}

TEST_CASE("a sum can be continued at every even offset") {
  std::mt19937 random(2);
  const Buffer bytes = random_bytes(random, 101);
  for (size_t cut = 0; cut <= 100; cut += 2) {
    const wire::Sum first = wire::sum_bytes(wire::Bytes(bytes).first(cut));
    CHECK(wire::finish_checksum(wire::sum_bytes(wire::Bytes(bytes).subspan(cut), first)) ==
          wire::internet_checksum(bytes));
  }
}

TEST_CASE("an incremental update gives exactly the bits of a full computation") {
  std::mt19937 random(3);
  for (int round = 0; round < 20000; round++) {
    Buffer bytes = random_bytes(random, 64);
    // Often extreme values, which are the corner cases of one's complement.
    for (size_t i = 8; i < 44; i++) {
      if (random() % 4 == 0) bytes[i] = random() % 2 == 0 ? 0x00 : 0xff;
    }
    uint16_t checksum = wire::internet_checksum(bytes);

    const uint16_t before16 = wire::load_raw16(&bytes[8]), after16 = static_cast<uint16_t>(random());
    wire::store_raw16(&bytes[8], after16);
    checksum = wire::updated_checksum(checksum, wire::change16(before16, after16));
    REQUIRE(checksum == wire::internet_checksum(bytes));

    const auto before32 = wire::Ipv4Address::load(&bytes[12]);
    const wire::Ipv4Address after32{static_cast<uint32_t>(random())};
    after32.store(&bytes[12]);
    checksum = wire::updated_checksum(checksum, wire::change(before32, after32));
    REQUIRE(checksum == wire::internet_checksum(bytes));

    const auto before128 = wire::Ipv6Address::load(&bytes[16]);
    const auto after128 = wire::Ipv6Address::load(&bytes[40]);
    after128.store(&bytes[16]);
    checksum = wire::updated_checksum(checksum, wire::change(before128, after128));
    REQUIRE(checksum == wire::internet_checksum(bytes));
  }
}

TEST_CASE("a folded change and its inverse give by subtraction exactly the bits of a sum") {
  for (const uint16_t change : {0x0001, 0x1234, 0x8000, 0xfffe, 0xffff}) {
    const uint16_t back = wire::change_back(change);
    CHECK(wire::fold(wire::Sum{change} + back) == 0xffff);
    for (uint32_t value = 0; value <= 0xffff; value++) {
      const auto checksum = static_cast<uint16_t>(value);
      REQUIRE(wire::updated_by_folded(checksum, change) == wire::updated_checksum(checksum, change));
      REQUIRE(wire::updated_by_folded(checksum, back) == wire::updated_checksum(checksum, back));
    }
  }
}

TEST_CASE("changes can be added up, folded to 16 bits and applied in one step") {
  std::mt19937 random(4);
  for (int round = 0; round < 2000; round++) {
    Buffer bytes = random_bytes(random, 40);
    const uint16_t before = wire::internet_checksum(bytes);
    const auto old_address = wire::Ipv4Address::load(&bytes[12]);
    const uint16_t old_port = wire::load_raw16(&bytes[20]);
    const wire::Ipv4Address new_address{static_cast<uint32_t>(random())};
    const uint16_t new_port = static_cast<uint16_t>(random());
    const uint16_t both = wire::fold(wire::change(old_address, new_address) + wire::change16(old_port, new_port));
    new_address.store(&bytes[12]);
    wire::store_raw16(&bytes[20], new_port);
    REQUIRE(wire::updated_checksum(before, both) == wire::internet_checksum(bytes));
  }
}

TEST_CASE("RFC 1624's example, which equation 2 gets wrong, gives zero") {
  const wire::Sum change = wire::change16(wire::raw16(0x5555), wire::raw16(0x3285));
  CHECK(wire::updated_checksum(wire::raw16(0xdd2f), change) == wire::raw16(0x0000));
}

TEST_CASE("a partial checksum follows the addresses and equals what a device would get") {
  for (const bool six : {false, true}) {
    CAPTURE(six);
    const auto packet = [six](std::string_view last, Sum sum) {
      const std::string address = (six ? "2001:db8::" : "10.0.1.") + std::string(last);
      return six ? ipv6({.destination = address}).tcp({.sum = sum}).build()
                 : ipv4({.destination = address}).tcp({.sum = sum}).build();
    };
    const size_t at = (six ? 40 : 20) + wire::TcpView::checksum_offset;
    const uint16_t partial = wire::load_raw16(&packet("100", Sum::partial)[at]);
    const wire::Address before = address(six ? "2001:db8::100" : "10.0.1.100");
    const wire::Address after = address(six ? "2001:db8::7" : "10.0.1.7");
    const wire::Sum change = six ? wire::change(before.v6(), after.v6()) : wire::change(before.v4(), after.v4());
    const uint16_t updated = wire::updated_partial(partial, change);
    CHECK(updated == wire::load_raw16(&packet("7", Sum::partial)[at]));

    // The device sums what the field covers: the segment, including the partial sum.
    const Buffer segment = packet("7", Sum::partial);
    const uint16_t finished = wire::internet_checksum(wire::Bytes(segment).subspan(six ? 40 : 20));
    CHECK(finished == wire::load_raw16(&packet("7", Sum::right)[at]));
  }
}

TEST_CASE("a UDP checksum is never zero on the wire, and a missing one stays missing") {
  CHECK(wire::udp_checksum_on_wire(0) == 0xffff);
  CHECK(wire::udp_checksum_on_wire(0x1234) == 0x1234);
  CHECK(wire::updated_udp_checksum(0, wire::change16(1, 2)) == 0);
  // A datagram whose checksum becomes zero: its words then sum up to all ones.
  const uint16_t before = wire::finish_checksum(wire::Sum{0x1234});
  CHECK(wire::updated_udp_checksum(before, wire::change16(0x1234, 0xffff)) == 0xffff);
  // All ones stands for zero: an update treats it as zero.
  CHECK(wire::updated_udp_checksum(0xffff, wire::change16(0xffff, 0x1234)) == wire::finish_checksum(0x1234));
}

TEST_CASE("a built datagram that sums up to zero carries ffff") {
  // The payload is chosen so that the sum of everything is ffff.
  const Buffer zeroed = ipv4().udp({.checksum = 0}).payload(Buffer{0, 0}).build();
  const wire::Sum pseudo = wire::pseudo_header_sum(address("10.0.1.2").v4(), address("10.0.1.100").v4(), 17, 10);
  const uint16_t missing = wire::finish_checksum(wire::sum_bytes(wire::Bytes(zeroed).subspan(20), pseudo));
  Buffer payload(2);
  wire::store_raw16(payload.data(), missing);
  const Buffer packet = ipv4().udp().payload(payload).build();
  CHECK(wire::load_be16(&packet[26]) == 0xffff);
}

TEST_CASE("CRC32c gives the check values of its specifications, by instruction and by table") {
  const struct {
    const char* what;
    Buffer bytes;
    uint32_t crc;
  } cases[] = {
      {"the usual check string", Buffer(text("123456789").begin(), text("123456789").end()), 0xe3069283},
      {"nothing", {}, 0},
      {"RFC 3720 B.4: 32 zeros", Buffer(32, 0x00), 0x8a9136aa},
      {"RFC 3720 B.4: 32 ones", Buffer(32, 0xff), 0x62a8ab43},
      {"RFC 3720 B.4: a SCSI read",
       hex("01c00000 00000000 00000000 00000000 14000000 00000400 00000014 00000018 28000000 00000000 02000000 "
           "00000000"),
       0xd9963a56},
  };
  for (const auto& c : cases) {
    CAPTURE(c.what);
    CHECK(wire::crc32c(c.bytes) == c.crc);
    CHECK(wire::crc32c_by_table(c.bytes) == c.crc);
  }
}

TEST_CASE("CRC32c by instruction and by table agree with the definition at every length, and go on from any cut") {
  std::mt19937 random(5);
  for (size_t length = 0; length < 80; length++) {
    const Buffer bytes = random_bytes(random, length);
    const uint32_t crc = crc32c_by_definition(bytes);
    REQUIRE(wire::crc32c(bytes) == crc);
    REQUIRE(wire::crc32c_by_table(bytes) == crc);
    const size_t cut = length == 0 ? 0 : random() % length;
    REQUIRE(wire::crc32c(wire::Bytes(bytes).subspan(cut), wire::crc32c(wire::Bytes(bytes).first(cut))) == crc);
  }
}
