// SPDX-License-Identifier: Apache-2.0
#include "port/memory_port.h"

#include <doctest/doctest.h>

namespace sluice::port {
namespace {

using Bytes = std::vector<uint8_t>;

Bytes bytes_of(const OwnedFrame& frame) {
  return {frame.bytes().begin(), frame.bytes().end()};
}

TEST_CASE("frames arrive in order, in batches, with headroom and all their properties") {
  MemoryPort port(4);
  for (uint8_t i = 0; i < 5; ++i) port.arrive(Bytes{i, i});
  const Bytes last{9, 9, 9};
  port.arrive(OwnedFrame(last, {.checksum = director::TransportChecksum::partial,
                                .segmentation = director::Segmentation::tcp6,
                                .segment_size = 1400,
                                .mark = 7}));
  CHECK_FALSE(port.prepare_to_wait());
  director::Frame frames[4];
  REQUIRE(port.receive(frames) == 4);
  for (uint8_t i = 0; i < 4; ++i) {
    CHECK(frames[i].length == 2);
    CHECK(frames[i].data[0] == i);
    CHECK(frames[i].port == 4);
    std::fill_n(frames[i].data - director::required_headroom, director::required_headroom, uint8_t{0xee});
  }
  REQUIRE(port.receive(frames) == 2);
  CHECK(frames[0].data[0] == 4);
  CHECK(Bytes(frames[1].data, frames[1].data + frames[1].length) == last);
  CHECK(frames[1].checksum == director::TransportChecksum::partial);
  CHECK(frames[1].segmentation == director::Segmentation::tcp6);
  CHECK(frames[1].segment_size == 1400);
  CHECK(frames[1].mark == 7);
  CHECK(port.receive(frames) == 0);
  CHECK(port.prepare_to_wait());
  CHECK(port.statistics().received == 6);
  CHECK(port.statistics().received_bytes == 13);
}

TEST_CASE("sent frames are kept once they are flushed") {
  MemoryPort port;
  Bytes frame{1, 2, 3};
  port.transmit({.data = frame.data(), .length = 3, .mark = 5});
  CHECK(port.sent().empty());
  port.flush();
  frame[0] = 9;
  REQUIRE(port.sent().size() == 1);
  CHECK(bytes_of(port.sent()[0]) == Bytes{1, 2, 3});
  CHECK(port.statistics().transmitted == 1);
  CHECK(port.statistics().transmitted_bytes == 3);
  port.forget_sent();
  port.flush();
  CHECK(port.sent().empty());
}

TEST_CASE("frames beyond the limit are dropped and counted") {
  MemoryPort port;
  port.set_limit(2);
  for (uint8_t i = 0; i < 5; ++i) port.arrive(Bytes{i});
  director::Frame frames[8];
  CHECK(port.receive(frames) == 2);
  CHECK(port.statistics().kernel_drops == 3);
}

}  // namespace
}  // namespace sluice::port
