// SPDX-License-Identifier: Apache-2.0
#include "port/pcapng_writer.h"

#include <doctest/doctest.h>

#include <string>

#include "port/capture_bytes.h"

using namespace sluice::port;

namespace {

std::vector<uint8_t> written(const MemorySink& sink) {
  return {sink.bytes().begin(), sink.bytes().end()};
}

}  // namespace

TEST_CASE("the bytes of a pcapng file depend only on its interfaces and packets") {
  MemorySink sink;
  PcapngWriter writer(sink);
  REQUIRE(writer.begin());
  REQUIRE(writer.add_interface(link_type::ethernet, "eth0"));
  REQUIRE(writer.add_interface(link_type::raw_ip, ""));
  const std::vector<uint8_t> frame{1, 2, 3, 4, 5};
  REQUIRE(writer.write(1, 0x1'0000'0002, 60, frame, "drop: no service"));
  REQUIRE(writer.write(0, 7, 5, frame));

  CaptureBytes expected;
  expected.section();
  const auto nanoseconds = [](CaptureBytes& body) { body.option(9, {9}).option(0, {}); };
  expected.interface(
      link_type::ethernet,
      [&](CaptureBytes& body) {
        body.option(2, {'e', 't', 'h', '0'});
        nanoseconds(body);
      },
      max_frame_bytes);
  expected.interface(link_type::raw_ip, nanoseconds, max_frame_bytes);
  const std::string comment = "drop: no service";
  expected.block(6, [&](CaptureBytes& body) {
    body.u32(1).u32(1).u32(2).u32(5).u32(60).raw(frame).pad();
    body.option(1, {comment.begin(), comment.end()}).option(0, {});
  });
  expected.enhanced(0, 7, frame, 5);
  CHECK(written(sink) == expected.bytes);
}

TEST_CASE("written packets are read back, even with the largest frame, the largest comment and any time") {
  MemorySink sink;
  PcapngWriter writer(sink);
  REQUIRE(writer.begin());
  REQUIRE(writer.add_interface(link_type::ipv4, "a"));
  const std::vector<uint8_t> frame(max_frame_bytes, 5);
  REQUIRE(writer.write(0, UINT64_MAX, UINT32_MAX, frame, std::string(65'535, 'c')));
  REQUIRE(writer.add_interface(link_type::ipv6, std::string(65'535, 'n')));
  REQUIRE(writer.write(1, 0, 0, {}));
  const Reading reading = read_all(sink.bytes());
  CHECK_FALSE(reading.failed);
  CHECK(reading.packets == std::vector<ReadPacket>{{UINT64_MAX, 0, 228, UINT32_MAX, frame}, {0, 1, 229, 0, {}}});
}

TEST_CASE("what a pcapng file cannot hold is refused and writes nothing") {
  MemorySink sink;
  PcapngWriter writer(sink);
  REQUIRE(writer.begin());
  const std::vector<uint8_t> before = written(sink);
  CHECK_FALSE(writer.write(0, 0, 0, {}));
  CHECK(text(writer.error()) == "interface 0 was not added, 0 were; add it before its packets");
  CHECK_FALSE(writer.add_interface(113, "any"));
  CHECK_FALSE(writer.add_interface(link_type::ethernet, std::string(65'536, 'n')));
  CHECK(text(writer.error()) == "an interface's name of 65536 bytes does not fit, at most 65535 do; shorten it");
  CHECK(written(sink) == before);
  REQUIRE(writer.add_interface(link_type::ethernet, "eth0"));
  CHECK_FALSE(writer.write(0, 0, 0, {}, std::string(65'536, 'c')));
  CHECK(text(writer.error()) == "a packet's comment of 65536 bytes does not fit, at most 65535 do; shorten it");
}
