// SPDX-License-Identifier: Apache-2.0
#include "port/pcap_reader.h"

#include <doctest/doctest.h>

#include <cerrno>

#include "port/capture_bytes.h"

using namespace sluice::port;

namespace {

constexpr uint32_t micro = pcap_magic_microseconds;
constexpr uint32_t nano = pcap_magic_nanoseconds;

// Delivers a part of a file, then an I/O error.
class FailingSource final : public ByteSource {
 public:
  explicit FailingSource(sluice::wire::Bytes bytes) : memory_(bytes) {}
  ptrdiff_t read(sluice::wire::MutableBytes into) override {
    const ptrdiff_t count = memory_.read(into);
    return count == 0 ? -EIO : count;
  }

 private:
  MemorySource memory_;
};

}  // namespace

TEST_CASE("both magic numbers are read in both byte orders") {
  struct Row {
    const char* what;
    uint32_t magic;
    bool big_endian;
    uint64_t time_ns;
  };
  for (const Row& row : std::vector<Row>{{"micro, little", micro, false, 1'700'000'000'000'123'000},
                                         {"micro, big", micro, true, 1'700'000'000'000'123'000},
                                         {"nano, little", nano, false, 1'700'000'000'000'000'123},
                                         {"nano, big", nano, true, 1'700'000'000'000'000'123}}) {
    CAPTURE(row.what);
    CaptureBytes file(row.big_endian);
    file.pcap_header(row.magic).pcap_record(1'700'000'000, 123, {1, 2, 3}, 60);
    const Reading reading = read_all(file.bytes);
    CHECK_FALSE(reading.failed);
    CHECK(reading.packets == std::vector<ReadPacket>{{row.time_ns, 0, link_type::ethernet, 60, {1, 2, 3}}});
  }
}

TEST_CASE("the link types of raw IP of all systems are read under one number") {
  struct Row {
    uint32_t in_file;
    uint16_t reported;
  };
  for (const Row& row : std::vector<Row>{{1, 1},
                                         {101, 101},
                                         {12, 101},
                                         {14, 101},
                                         {228, 228},
                                         {229, 229},
                                         {0x5400'0001, 1}}) {  // with a frame check sequence of 4 bytes
    CAPTURE(row.in_file);
    CaptureBytes file;
    file.pcap_header(micro, row.in_file).pcap_record(1, 0, {9}, 1);
    const Reading reading = read_all(file.bytes);
    REQUIRE(reading.packets.size() == 1);
    CHECK(reading.packets[0].link_type == row.reported);
  }
}

TEST_CASE("seconds reach the year 2106, and a fraction above one second is carried") {
  CaptureBytes file;
  file.pcap_header(nano).pcap_record(UINT32_MAX, UINT32_MAX, {}, 0);
  const Reading reading = read_all(file.bytes);
  REQUIRE(reading.packets.size() == 1);
  CHECK(reading.packets[0].time_ns == 4'294'967'295'000'000'000 + 4'294'967'295);
}

TEST_CASE("an original length below the captured length is raised to it") {
  CaptureBytes file;
  file.pcap_header(micro).pcap_record(1, 0, {1, 2, 3, 4}, 0);
  const Reading reading = read_all(file.bytes);
  REQUIRE(reading.packets.size() == 1);
  CHECK(reading.packets[0].original_length == 4);
}

TEST_CASE("a bad file header is refused with the field's offset, the value and the remedy") {
  struct Row {
    const char* what;
    CaptureBytes file;
    CaptureFault fault;
    uint64_t offset;
    const char* message;
  };
  std::vector<Row> rows;
  rows.push_back({"version", CaptureBytes().pcap_header(micro, 1, 3), CaptureFault::unsupported, 4,
                  "pcap version 2.3 is not supported, only 2.4 is; convert it with editcap -F pcap"});
  rows.push_back({"link type", CaptureBytes(true).pcap_header(micro, 113), CaptureFault::unsupported, 20,
                  "link type 113 (Linux cooked, SLL) is not supported, only Ethernet (1) and raw IP (101, 12, 14, 228, "
                  "229) are; capture on a named interface (tcpdump -i eth0) instead of `any`"});
  rows.push_back({"cut", CaptureBytes().u32(micro).u16(2), CaptureFault::truncated, 0,
                  "the file ends inside the pcap file header: expected 24 bytes, found 6; no packet precedes this "
                  "offset; copy or capture the file again for the rest"});
  for (const Row& row : rows) {
    CAPTURE(row.what);
    const Reading reading = read_all(row.file.bytes);
    CHECK(reading.failed);
    CHECK(reading.error.fault == row.fault);
    CHECK(reading.error.offset == row.offset);
    CHECK(text(reading.error) == row.message);
  }
}

TEST_CASE("an impossible captured length is reported as corrupt, and the packets before it are kept") {
  CaptureBytes file;
  file.pcap_header(micro).pcap_record(1, 0, {1, 2}, 2);
  file.u32(2).u32(0).u32(max_frame_bytes + 1).u32(60);
  const Reading reading = read_all(file.bytes);
  CHECK(reading.packets.size() == 1);
  CHECK(reading.error.fault == CaptureFault::corrupt);
  CHECK(reading.error.offset == 24 + 18 + 8);
  CHECK(text(reading.error) ==
        "packet 2 says 262145 captured bytes, expected at most 262144; the packet before this offset is whole; copy or "
        "capture the file again for the rest");
}

TEST_CASE("the longest frame is read") {
  CaptureBytes file;
  const std::vector<uint8_t> frame(max_frame_bytes, 0xab);
  file.pcap_header(micro).pcap_record(1, 0, frame, max_frame_bytes).pcap_record(2, 0, frame, 300'000);
  const Reading reading = read_all(file.bytes);
  CHECK_FALSE(reading.failed);
  REQUIRE(reading.packets.size() == 2);
  CHECK(reading.packets[1] == ReadPacket{2'000'000'000, 0, link_type::ethernet, 300'000, frame});
}

TEST_CASE("of a file cut at any byte, exactly the whole records before the cut are read") {
  CaptureBytes file;
  file.pcap_header(nano);
  std::vector<size_t> ends{file.bytes.size()};
  for (const size_t size : {0, 1, 14, 60}) {
    file.pcap_record(1, 0, std::vector<uint8_t>(size, 7), 60);
    ends.push_back(file.bytes.size());
  }
  for (size_t cut = 24; cut <= file.bytes.size(); cut++) {
    CAPTURE(cut);
    const Reading reading = read_all(sluice::wire::Bytes(file.bytes).first(cut), 1 + cut % 5);
    size_t whole = 0;
    while (whole + 1 < ends.size() && ends[whole + 1] <= cut) whole++;
    CHECK(reading.packets.size() == whole);
    const bool at_boundary = ends[whole] == cut;
    CHECK(reading.failed == !at_boundary);
    if (!at_boundary) {
      CHECK(reading.error.fault == CaptureFault::truncated);
      CHECK(reading.error.offset == ends[whole]);
    }
  }
}

TEST_CASE("every further call reports an error again") {
  CaptureBytes file;
  file.pcap_header(micro).u32(1);
  MemorySource source(file.bytes);
  CaptureReader reader(source);
  REQUIRE(reader.open());
  CapturedPacket packet;
  CHECK(reader.next(packet) == ReadStatus::error);
  CHECK(reader.next(packet) == ReadStatus::error);
  CHECK(reader.error().offset == 24);
}

TEST_CASE("a failed read is distinguished from the end of the file") {
  struct Row {
    const char* what;
    CaptureBytes file;
    size_t packets;
  };
  std::vector<Row> rows;
  rows.push_back({"before the magic number", CaptureBytes(), 0});
  rows.push_back({"inside the header", CaptureBytes().u32(micro), 0});
  rows.push_back({"between records", CaptureBytes().pcap_header(micro).pcap_record(1, 0, {1}, 1), 1});
  rows.push_back({"inside a record", CaptureBytes().pcap_header(micro).pcap_record(1, 0, {1}, 1).u32(5), 1});
  for (const Row& row : rows) {
    CAPTURE(row.what);
    FailingSource source(row.file.bytes);
    const Reading reading = read_all(source);
    CHECK(reading.packets.size() == row.packets);
    CHECK(reading.failed);
    CHECK(reading.error.fault == CaptureFault::system);
    CHECK(reading.error.system_errno == EIO);
    CHECK(std::string(reading.error.system_call) == "read");
  }
}
