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

TEST_CASE("a batch has the packets' bytes one after another and an index of them") {
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
