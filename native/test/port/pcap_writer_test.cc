// SPDX-License-Identifier: Apache-2.0
#include "port/pcap_writer.h"

#include <doctest/doctest.h>

#include <cerrno>

#include "port/capture_bytes.h"

using namespace sluice::port;
using sluice::wire::Bytes;

namespace {

std::vector<uint8_t> written(const MemorySink& sink) {
  return {sink.bytes().begin(), sink.bytes().end()};
}

class FullSink final : public ByteSink {
 public:
  explicit FullSink(size_t room) : room_(room) {}
  int write(Bytes bytes) override {
    if (bytes.size() > room_) return ENOSPC;
    room_ -= bytes.size();
    return 0;
  }

 private:
  size_t room_;
};

}  // namespace

TEST_CASE("the bytes of a file depend only on its packets") {
  const std::vector<uint8_t> frame{1, 2, 3};
  struct Row {
    PcapPrecision precision;
    uint32_t magic;
    uint32_t fraction;
  };
  for (const Row& row : std::vector<Row>{{PcapPrecision::microseconds, pcap_magic_microseconds, 123'456},
                                         {PcapPrecision::nanoseconds, pcap_magic_nanoseconds, 123'456'789}}) {
    MemorySink sink;
    PcapWriter writer(sink, row.precision);
    REQUIRE(writer.begin(link_type::raw_ip));
    REQUIRE(writer.write(1'700'000'000'123'456'789, 60, frame));
    CaptureBytes expected;
    expected.u32(row.magic).u16(2).u16(4).u32(0).u32(0).u32(max_frame_bytes).u32(101);
    expected.pcap_record(1'700'000'000, row.fraction, frame, 60);
    CHECK(written(sink) == expected.bytes);
  }
}

TEST_CASE("what a pcap file cannot hold is refused, writes nothing, and further packets can be written") {
  MemorySink sink;
  PcapWriter writer(sink, PcapPrecision::nanoseconds);
  REQUIRE(writer.begin(link_type::ethernet));
  const std::vector<uint8_t> before = written(sink);

  CHECK_FALSE(writer.write((uint64_t{UINT32_MAX} + 1) * nanoseconds_per_second, 0, {}));
  CHECK(writer.error().fault == CaptureFault::misuse);
  CHECK(text(writer.error()) ==
        "pcap holds times until the year 2106, not 4294967296000000000 ns after 1970; write pcapng instead");
  const std::vector<uint8_t> long_frame(max_frame_bytes + 1);
  CHECK_FALSE(writer.write(0, max_frame_bytes + 1, long_frame));
  CHECK(text(writer.error()) ==
        "a packet of 262145 bytes does not fit a capture, at most 262144 do; cut it and keep its original length");
  CHECK_FALSE(writer.write(0, 2, Bytes(long_frame).first(3)));
  CHECK(text(writer.error()) ==
        "an original length of 2 is less than the packet's 3 bytes; give the length that it had on the wire");
  CHECK(written(sink) == before);

  CHECK(writer.write(UINT32_MAX * nanoseconds_per_second, 262'145, Bytes(long_frame).first(max_frame_bytes)));
  CHECK(read_all(sink.bytes()).packets.size() == 1);
}

TEST_CASE("a link type that the readers do not report is refused") {
  MemorySink sink;
  PcapWriter writer(sink, PcapPrecision::nanoseconds);
  CHECK_FALSE(writer.begin(12));
  CHECK_FALSE(writer.begin(113));
  CHECK(writer.error().fault == CaptureFault::misuse);
  CHECK(sink.bytes().empty());
}

TEST_CASE("after a failure of the sink, every call reports it again") {
  FullSink sink(24 + 10);
  PcapWriter writer(sink, PcapPrecision::nanoseconds);
  REQUIRE(writer.begin(link_type::ethernet));
  CHECK_FALSE(writer.write(0, 0, {}));
  CHECK_FALSE(writer.write(0, 0, {}));
  CHECK_FALSE(writer.write(UINT64_MAX, 0, {}));
  CHECK(writer.error().fault == CaptureFault::system);
  CHECK(writer.error().system_errno == ENOSPC);
  CHECK(writer.error().offset == 24);
}
