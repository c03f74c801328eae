// SPDX-License-Identifier: Apache-2.0
#include "port/capture_batch.h"

#include <doctest/doctest.h>

#include "port/capture_bytes.h"

using namespace sluice::port;

namespace {

struct Memory {
  explicit Memory(size_t packets, size_t bytes = max_frame_bytes)
      : data(bytes), times(packets), fields(packets * batch_field_count) {}
  CaptureBatch batch() { return {data, times, fields}; }

  std::vector<uint8_t> data;
  std::vector<uint64_t> times;
  std::vector<uint32_t> fields;
};

}  // namespace

TEST_CASE("a batch has the bytes of its packets one after another, and an index") {
  CaptureBytes file;
  file.section().interface(link_type::ethernet).interface(link_type::ipv4);
  file.enhanced(0, 1, {1, 2, 3}, 60).enhanced(1, 2, {4, 5}, 2).enhanced(1, 3, {}, 9);
  MemorySource source(file.bytes);
  CaptureReader reader(source);
  REQUIRE(reader.open());
  BatchReader batches(reader);
  Memory memory(2);
  REQUIRE(batches.read(memory.batch()) == 2);
  CHECK(memory.times == std::vector<uint64_t>{1000, 2000});
  CHECK(memory.fields == std::vector<uint32_t>{0, 3, 60, 0, 1, 3, 2, 2, 1, 228});
  CHECK(std::vector<uint8_t>(memory.data.begin(), memory.data.begin() + 5) == std::vector<uint8_t>{1, 2, 3, 4, 5});
  REQUIRE(batches.read(memory.batch()) == 1);
  CHECK(memory.times[0] == 3000);
  CHECK(batches.read(memory.batch()) == 0);
  CHECK_FALSE(batches.failed());
}

TEST_CASE("a packet that does not fit waits for the next batch") {
  CaptureBytes file;
  file.pcap_header(pcap_magic_nanoseconds);
  for (uint32_t i = 1; i <= 3; i++) {
    file.pcap_record(0, i, std::vector<uint8_t>(200'000, static_cast<uint8_t>(i)), 200'000);
  }
  MemorySource source(file.bytes);
  CaptureReader reader(source);
  REQUIRE(reader.open());
  BatchReader batches(reader);
  for (uint8_t i = 1; i <= 3; i++) {
    Memory memory(10);
    REQUIRE(batches.read(memory.batch()) == 1);
    CHECK(memory.times[0] == i);
    CHECK(std::vector<uint8_t>(memory.data.begin(), memory.data.begin() + 200'000) == std::vector<uint8_t>(200'000, i));
  }
  Memory memory(10);
  CHECK(batches.read(memory.batch()) == 0);
}

TEST_CASE("an error is reported after the packets before it") {
  CaptureBytes file;
  file.pcap_header(pcap_magic_nanoseconds).pcap_record(0, 1, {1}, 1).u32(7);
  MemorySource source(file.bytes);
  CaptureReader reader(source);
  REQUIRE(reader.open());
  BatchReader batches(reader);
  Memory memory(10);
  CHECK(batches.read(memory.batch()) == 1);
  CHECK_FALSE(batches.failed());
  CHECK(batches.read(memory.batch()) == 0);
  CHECK(batches.failed());
  CHECK(batches.read(memory.batch()) == 0);
  CHECK(batches.failed());
}

TEST_CASE("a batch is written to the same bytes as its packets one by one") {
  MemorySink by_batch, one_by_one;
  PcapWriter batch_writer(by_batch, PcapPrecision::microseconds),
      packet_writer(one_by_one, PcapPrecision::microseconds);
  REQUIRE(batch_writer.begin(link_type::ethernet));
  REQUIRE(packet_writer.begin(link_type::ethernet));
  Memory memory(2, 5);
  memory.data = {1, 2, 3, 4, 5};
  memory.times = {1000, 2000};
  memory.fields = {3, 2, 60, 0, 1, 0, 3, 3, 0, 1};
  REQUIRE(is_within(memory.batch(), 2));
  CHECK(write_batch(batch_writer, memory.batch(), 2));
  const std::vector<uint8_t> first{4, 5}, second{1, 2, 3};
  REQUIRE(packet_writer.write(1000, 60, first));
  REQUIRE(packet_writer.write(2000, 3, second));
  CHECK(std::vector<uint8_t>(by_batch.bytes().begin(), by_batch.bytes().end()) ==
        std::vector<uint8_t>(one_by_one.bytes().begin(), one_by_one.bytes().end()));
}

TEST_CASE("a batch with a wrong index is refused") {
  Memory memory(2, 5);
  memory.fields = {0, 5, 5, 0, 1, 5, 0, 0, 0, 1};
  CHECK(is_within(memory.batch(), 2));
  CHECK_FALSE(is_within(memory.batch(), 3));
  memory.fields[0] = 1;
  CHECK_FALSE(is_within(memory.batch(), 2));
  memory.fields[0] = ~uint32_t{0};  // begin and length together do not fit 32 bits
  CHECK_FALSE(is_within(memory.batch(), 2));
}

TEST_CASE("a reader tells whether time stamps can be finer than a microsecond") {
  for (const auto& [magic, expected] : {std::pair{pcap_magic_microseconds, false}, {pcap_magic_nanoseconds, true}}) {
    CaptureBytes file;
    file.pcap_header(magic);
    MemorySource source(file.bytes);
    CaptureReader reader(source);
    REQUIRE(reader.open());
    CHECK(reader.has_nanoseconds() == expected);
  }
}
