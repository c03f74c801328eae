// SPDX-License-Identifier: Apache-2.0
#include "port/pcap_port.h"

#include <doctest/doctest.h>

#include "port/capture_bytes.h"

namespace sluice::port {
namespace {

using Bytes = std::vector<uint8_t>;

Bytes frame_of(uint8_t number, size_t length = 60) {
  return Bytes(length, number);
}

TEST_CASE("frames with close time stamps come in one batch, with the capture's time") {
  CaptureBytes capture;
  capture.pcap_header(0xa1b2c3d4);
  capture.pcap_record(5, 0, frame_of(1), 60).pcap_record(5, 99, frame_of(2), 60);
  capture.pcap_record(5, 100, frame_of(3), 60).pcap_record(4, 0, frame_of(4), 60).pcap_record(4, 1, frame_of(5), 60);
  MemorySource source(capture.bytes);
  CaptureReader reader(source);
  REQUIRE(reader.open());
  PcapPort port(&reader, nullptr, 3);
  director::Frame frames[8];
  REQUIRE(port.receive(frames) == 2);
  CHECK(port.time_ns() == 5'000'000'000);
  CHECK(frames[0].data[0] == 1);
  CHECK(frames[1].data[59] == 2);
  CHECK(frames[1].length == 60);
  CHECK(frames[1].port == 3);
  std::fill_n(frames[0].data - director::required_headroom, director::required_headroom, uint8_t{0xee});
  REQUIRE(port.receive(frames) == 1);
  CHECK(port.time_ns() == 5'000'100'000);
  CHECK_FALSE(port.has_ended());
  REQUIRE(port.receive(std::span(frames).first(1)) == 1);
  CHECK(port.time_ns() == 4'000'000'000);
  REQUIRE(port.receive(frames) == 1);
  CHECK(frames[0].data[0] == 5);
  CHECK(port.receive(frames) == 0);
  CHECK(port.has_ended());
  CHECK_FALSE(port.failed());
  CHECK(port.prepare_to_wait());
  CHECK(port.statistics().received == 5);
}

TEST_CASE("packets that are not whole Ethernet frames are counted and left out") {
  CaptureBytes capture;
  capture.pcap_header(0xa1b2c3d4);
  capture.pcap_record(1, 0, frame_of(1), 1500)
      .pcap_record(1, 0, frame_of(2, 13), 13)
      .pcap_record(1, 0, frame_of(3), 60);
  MemorySource source(capture.bytes);
  CaptureReader reader(source);
  REQUIRE(reader.open());
  PcapPort port(&reader, nullptr);
  director::Frame frames[8];
  REQUIRE(port.receive(frames) == 1);
  CHECK(frames[0].data[0] == 3);
  CHECK(port.statistics().unreadable == 2);
}

TEST_CASE("a damaged capture ends with its error after its readable packets") {
  CaptureBytes capture;
  capture.pcap_header(0xa1b2c3d4).pcap_record(1, 0, frame_of(1), 60).u32(7);
  MemorySource source(capture.bytes);
  CaptureReader reader(source);
  REQUIRE(reader.open());
  PcapPort port(&reader, nullptr);
  director::Frame frames[8];
  CHECK(port.receive(frames) == 1);
  CHECK(port.failed());
  CHECK(reader.error().fault == CaptureFault::truncated);
}

TEST_CASE("sent frames are written with the time of the batch that caused them") {
  CaptureBytes capture;
  capture.pcap_header(0xa1b2c3d4).pcap_record(7, 250, frame_of(1), 60);
  MemorySource source(capture.bytes);
  CaptureReader reader(source);
  REQUIRE(reader.open());
  MemorySink sink;
  PcapWriter writer(sink, PcapPrecision::microseconds);
  REQUIRE(writer.begin(link_type::ethernet));
  PcapPort port(&reader, &writer);
  director::Frame frames[8];
  REQUIRE(port.receive(frames) == 1);
  port.transmit(frames[0]);
  port.flush();
  CHECK(read_all(sink.bytes()).packets == read_all(wire::Bytes(capture.bytes)).packets);
  CHECK(port.statistics().transmitted == 1);
  PcapPort only_sends(nullptr, nullptr);
  only_sends.transmit(frames[0]);
  CHECK(only_sends.statistics().transmitted_bytes == 60);
  CHECK(only_sends.receive(frames) == 0);
  CHECK(only_sends.has_ended());
}

}  // namespace
}  // namespace sluice::port
