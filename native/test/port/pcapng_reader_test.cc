// SPDX-License-Identifier: Apache-2.0
#include "port/pcapng_reader.h"

#include <doctest/doctest.h>

#include "port/capture_bytes.h"

using namespace sluice::port;

namespace {

constexpr uint16_t ethernet = link_type::ethernet;

std::function<void(CaptureBytes&)> resolution(uint8_t value) {
  return [value](CaptureBytes& body) { body.option(pcapng::option_time_resolution, {value}).option(0, {}); };
}

CaptureBytes one_interface() {
  CaptureBytes file;
  file.section().interface(ethernet);
  return file;
}

}  // namespace

TEST_CASE("several interfaces have their own link type and resolution") {
  CaptureBytes file;
  file.section().interface(ethernet).interface(101, resolution(9)).interface(228, resolution(3));
  file.enhanced(2, 1500, {1}, 1).enhanced(0, 1'500'000, {2, 2}, 2).enhanced(1, 1'500'000'000, {3, 3, 3}, 90);
  const Reading reading = read_all(file.bytes);
  CHECK_FALSE(reading.failed);
  CHECK(reading.packets == std::vector<ReadPacket>{{1'500'000'000, 2, 228, 1, {1}},
                                                   {1'500'000'000, 0, 1, 2, {2, 2}},
                                                   {1'500'000'000, 1, 101, 90, {3, 3, 3}}});
}

TEST_CASE("sections may have different byte orders; each numbers its interfaces from zero, and the reader numbers on") {
  CaptureBytes file;
  file.section().interface(ethernet).interface(101).enhanced(1, 7, {1}, 1);
  file.order(true).section().interface(229, resolution(9)).enhanced(0, 0x1'0000'0002, {2}, 2);
  file.order(false).section().interface(14).enhanced(0, 9, {3}, 3);
  const Reading reading = read_all(file.bytes);
  CHECK_FALSE(reading.failed);
  CHECK(reading.packets ==
        std::vector<ReadPacket>{{7000, 1, 101, 1, {1}}, {0x1'0000'0002, 2, 229, 2, {2}}, {9000, 3, 101, 3, {3}}});
}

TEST_CASE("time stamps of every resolution become nanoseconds") {
  struct Row {
    const char* what;
    uint8_t resolution;
    uint64_t ticks;
    uint64_t time_ns;
  };
  for (const Row& row : std::vector<Row>{
           {"seconds", 0, 1'700'000'000, 1'700'000'000'000'000'000},
           {"milliseconds", 3, 1'700'000'000'001, 1'700'000'000'001'000'000},
           {"microseconds", 6, 1'700'000'000'000'001, 1'700'000'000'000'001'000},
           {"nanoseconds", 9, UINT64_MAX, UINT64_MAX},
           {"picoseconds, rounded down", 12, 1'700'000'001'999, 1'700'000'001},
           {"the finest decimal", 19, 10'000'000'000'000'000'000u, 1'000'000'000},
           {"1/2", 0x81, 3, 1'500'000'000},
           {"1/1024", 0x8a, 1025, 1'000'976'562},
           {"1/2^32", 0xa0, 0x2'8000'0000, 2'500'000'000},
           {"the finest binary", 0xbf, 0xc000'0000'0000'0000, 1'500'000'000},
       }) {
    CAPTURE(row.what);
    CaptureBytes file;
    file.section().interface(ethernet, resolution(row.resolution)).enhanced(0, row.ticks, {}, 0);
    const Reading reading = read_all(file.bytes);
    REQUIRE(reading.packets.size() == 1);
    CHECK(reading.packets[0].time_ns == row.time_ns);
  }
}

TEST_CASE("the offset of an interface's time stamps is added, positive or negative") {
  struct Row {
    int64_t offset;
    uint64_t ticks;
    uint64_t time_ns;
  };
  for (const Row& row :
       std::vector<Row>{{1'600'000'000, 5, 1'600'000'000'000'005'000}, {-2, 3'000'000, 1'000'000'000}}) {
    CAPTURE(row.offset);
    CaptureBytes file;
    file.section().interface(ethernet, [&](CaptureBytes& body) {
      body.option64(pcapng::option_time_offset, static_cast<uint64_t>(row.offset));
    });
    file.enhanced(0, row.ticks, {}, 0);
    const Reading reading = read_all(file.bytes);
    REQUIRE(reading.packets.size() == 1);
    CHECK(reading.packets[0].time_ns == row.time_ns);
  }
}

TEST_CASE("unknown blocks, even larger than the window, are skipped, and options of packets are tolerated") {
  CaptureBytes file;
  file.section();
  file.block(4, [](CaptureBytes& body) { body.raw(std::vector<uint8_t>(36, 0xff)); });  // name resolution
  file.block(0x0000'0bad, [](CaptureBytes& body) { body.raw(std::vector<uint8_t>(3 * ByteWindow::capacity, 1)); });
  file.interface(ethernet, [](CaptureBytes& body) { body.option(2, {'e', 't', 'h', '0', '1'}).option(12, {0, 'x'}); });
  file.block(pcapng::enhanced_packet, [](CaptureBytes& body) {
    body.u32(0).u32(0).u32(42).u32(3).u32(3).raw({1, 2, 3, 0});
    body.option(1, {'o', 'k'}).u16(1).u16(0xffff);  // the length of the last option is wrong
  });
  file.block(0x8000'0001, [](CaptureBytes&) {});
  const Reading reading = read_all(file.bytes);
  CHECK_FALSE(reading.failed);
  CHECK(reading.packets == std::vector<ReadPacket>{{42'000, 0, 1, 3, {1, 2, 3}}});
}

TEST_CASE("a simple packet belongs to interface 0, is cut at the snap length, and gets the time of the packet before") {
  CaptureBytes file;
  file.section().interface(ethernet, nullptr, 5);
  const auto simple = [&](uint32_t original, const std::vector<uint8_t>& data) {
    file.block(pcapng::simple_packet, [&](CaptureBytes& body) { body.u32(original).raw(data); });
  };
  simple(3, {1, 2, 3});
  file.enhanced(0, 77, {9}, 9);
  simple(1500, {1, 2, 3, 4, 5});
  const Reading reading = read_all(file.bytes);
  CHECK_FALSE(reading.failed);
  CHECK(reading.packets == std::vector<ReadPacket>{
                               {0, 0, 1, 3, {1, 2, 3}}, {77'000, 0, 1, 9, {9}}, {77'000, 0, 1, 1500, {1, 2, 3, 4, 5}}});
}

TEST_CASE("the obsolete packet block is read in both byte orders") {
  for (const bool big_endian : {false, true}) {
    CaptureBytes file(big_endian);
    file.section().interface(ethernet).interface(101);
    file.block(pcapng::obsolete_packet, [](CaptureBytes& body) {
      body.u16(1).u16(0xffff).u32(1).u32(2).u32(2).u32(60).raw({8, 9});  // interface 1, drops unknown
    });
    const Reading reading = read_all(file.bytes);
    CHECK_FALSE(reading.failed);
    CHECK(reading.packets == std::vector<ReadPacket>{{0x1'0000'0002 * 1000, 1, 101, 60, {8, 9}}});
  }
}

TEST_CASE("a block with a format error is reported with its offset, and the packets before it are kept") {
  struct Row {
    const char* what;
    CaptureBytes file;
    CaptureFault fault;
    uint64_t offset;
    const char* message;  // up to what is read before
  };
  const size_t start = one_interface().bytes.size();
  std::vector<Row> rows;
  rows.push_back({"length below a block", one_interface().u32(6).u32(8), CaptureFault::corrupt, start,
                  "the block of type 0x00000006 says a length of 8 bytes, expected a multiple of 4 from 12 on"});
  rows.push_back({"odd length", one_interface().u32(5).u32(13), CaptureFault::corrupt, start,
                  "the block of type 0x00000005 says a length of 13 bytes, expected a multiple of 4 from 12 on"});
  rows.push_back(
      {"two lengths", one_interface().u32(5).u32(12).u32(16), CaptureFault::corrupt, start,
       "the block of type 0x00000005 says a length of 12 bytes at its start and 16 at its end, expected the same"});
  rows.push_back({"packet block too short", one_interface().u32(6).u32(28), CaptureFault::corrupt, start,
                  "the block of type 0x00000006 says a length of 28 bytes, expected 32 to 524288"});
  rows.push_back({"packet block too long", one_interface().u32(6).u32(0xffff'fffc), CaptureFault::corrupt, start,
                  "the block of type 0x00000006 says a length of 4294967292 bytes, expected 32 to 524288"});
  rows.push_back({"interface not described", one_interface().enhanced(1, 0, {}, 0), CaptureFault::corrupt, start,
                  "the block of type 0x00000006 is of interface 1, expected one of the 1 that the section describes "
                  "before it"});
  rows.push_back({"interface of another section", one_interface().section().enhanced(0, 0, {}, 0),
                  CaptureFault::corrupt, start + 28,
                  "the block of type 0x00000006 is of interface 0, expected one of the 0 that the section describes "
                  "before it"});
  CaptureBytes lying = one_interface();
  lying.block(6, [](CaptureBytes& body) { body.u32(0).u32(0).u32(0).u32(5).u32(5).u32(0); });
  rows.push_back({"captured length past the block", lying, CaptureFault::corrupt, start,
                  "the block of type 0x00000006 says 5 captured bytes, expected at most 4"});
  CaptureBytes simple = one_interface();
  simple.block(3, [](CaptureBytes& body) { body.u32(5).u32(0); });
  rows.push_back({"simple packet past the block", simple, CaptureFault::corrupt, start,
                  "the block of type 0x00000003 says 5 captured bytes, expected at most 4"});
  rows.push_back({"byte order", CaptureBytes().u32(pcapng::section_header).u32(28).u32(0x1a2b'3c4e).u32(1),
                  CaptureFault::corrupt, 0,
                  "the block of type 0x0a0d0d0a says byte order 0x4e3c2b1a, expected 0x1a2b3c4d in either order"});
  rows.push_back({"section length", CaptureBytes().u32(pcapng::section_header).u32(24).u32(0x1a2b'3c4d).u32(1),
                  CaptureFault::corrupt, 0, "the block of type 0x0a0d0d0a is 24 bytes long, expected at least 28"});
  rows.push_back({"version", CaptureBytes().u32(pcapng::section_header).u32(28).u32(0x1a2b'3c4d).u16(2).u16(1),
                  CaptureFault::unsupported, 12,
                  "pcapng version 2.1 is not supported, only 1.0 is; convert it with editcap -F pcapng"});
  rows.push_back({"resolution", CaptureBytes().section().interface(ethernet, resolution(20)), CaptureFault::unsupported,
                  28,
                  "if_tsresol says 10 to the power of 20 ticks a second, which 64 bits do not hold; copy or capture "
                  "the file again for the rest"});
  rows.push_back({"binary resolution", CaptureBytes().section().interface(ethernet, resolution(0xff)),
                  CaptureFault::unsupported, 28,
                  "if_tsresol says 2 to the power of 127 ticks a second, which 64 bits do not hold; copy or capture "
                  "the file again for the rest"});
  rows.push_back({"resolution's size",
                  CaptureBytes().section().interface(ethernet,
                                                     [](CaptureBytes& body) {
                                                       body.option(9, {9, 0});
                                                     }),
                  CaptureFault::corrupt, 28, "the block of type 0x00000001 has an if_tsresol of 2 bytes, expected 1"});
  rows.push_back({"offset's size",
                  CaptureBytes().section().interface(ethernet,
                                                     [](CaptureBytes& body) {
                                                       body.option(14, {1, 2, 3, 4});
                                                     }),
                  CaptureFault::corrupt, 28, "the block of type 0x00000001 has an if_tsoffset of 4 bytes, expected 8"});
  rows.push_back({"option past the block",
                  CaptureBytes().section().interface(ethernet, [](CaptureBytes& body) { body.u16(2).u16(9).u64(0); }),
                  CaptureFault::corrupt, 28,
                  "the block of type 0x00000001 has an option 2 of 9 bytes, expected at most the 8 left in it"});
  rows.push_back(
      {"time", CaptureBytes().section().interface(ethernet, resolution(0)).enhanced(0, UINT64_MAX, {}, 0),
       CaptureFault::corrupt, 60,
       "the block of type 0x00000006 has a time before 1970 or after 2554 (18446744073709551615 ticks of 1/1 "
       "s, offset 0 s)"});
  rows.push_back(
      {"link type", CaptureBytes().section().interface(276).enhanced(0, 0, {}, 0), CaptureFault::unsupported, 48,
       "packet 1 is of interface 0, whose link type 276 (Linux cooked, SLL2) is not supported, only Ethernet "
       "(1) and raw IP (101, 12, 14, 228, 229) are; no packet precedes this offset; capture on a named "
       "interface (tcpdump -i eth0) instead of `any`"});
  for (const Row& row : rows) {
    CAPTURE(row.what);
    const Reading reading = read_all(row.file.bytes);
    CHECK(reading.failed);
    CHECK(reading.packets.empty());
    CHECK(reading.error.fault == row.fault);
    CHECK(reading.error.offset == row.offset);
    CHECK(text(reading.error).substr(0, std::string(row.message).size()) == row.message);
  }
}

TEST_CASE("an interface with an unsupported link type is an error only when it has a packet") {
  CaptureBytes file;
  file.section().interface(127).interface(ethernet).enhanced(1, 5, {1}, 1);
  CHECK_FALSE(read_all(file.bytes).failed);
  file.enhanced(0, 6, {2}, 2);
  const Reading reading = read_all(file.bytes);
  CHECK(reading.packets.size() == 1);
  CHECK(reading.error.fault == CaptureFault::unsupported);
}

TEST_CASE("of a file cut at any byte, exactly the whole packets before the cut are read") {
  CaptureBytes file;
  struct End {
    size_t at;
    size_t packets;
  };
  std::vector<End> ends;
  size_t packets = 0;
  const auto mark = [&] { ends.push_back({file.bytes.size(), packets}); };
  file.section();
  mark();
  file.interface(ethernet, resolution(9));
  mark();
  for (const size_t size : {0, 1, 15, 60}) {
    file.enhanced(0, 5, std::vector<uint8_t>(size, 7), 60);
    packets++;
    mark();
    file.block(5, [](CaptureBytes& body) { body.u32(0); });
    mark();
  }
  file.order(true).section();
  mark();
  size_t whole = 0;
  for (size_t cut = ends[0].at; cut <= file.bytes.size(); cut++) {
    CAPTURE(cut);
    while (whole + 1 < ends.size() && ends[whole + 1].at <= cut) whole++;
    const Reading reading = read_all(sluice::wire::Bytes(file.bytes).first(cut), 1 + cut % 5);
    CHECK(reading.packets.size() == ends[whole].packets);
    const bool at_boundary = ends[whole].at == cut;
    CHECK(reading.failed == !at_boundary);
    if (!at_boundary) {
      CHECK(reading.error.fault == CaptureFault::truncated);
      CHECK(reading.error.offset == ends[whole].at);
    }
  }
}
