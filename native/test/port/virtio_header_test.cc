// SPDX-License-Identifier: Apache-2.0
#include "port/virtio_header.h"

#include <doctest/doctest.h>

#include <vector>

#include "wire/bytes.h"
#include "wire/checksum.h"
#include "wire/protocol.h"
#include "wire/sctp.h"

namespace sluice::port {
namespace {

using director::Segmentation;
using director::TransportChecksum;

struct Built {
  std::vector<uint8_t> bytes;
  director::Frame frame() { return {.data = bytes.data(), .length = static_cast<uint32_t>(bytes.size())}; }
};

// A frame of zeros, except for the bytes that lead to its transport header.
Built ipv4(uint8_t protocol, size_t payload, bool tagged = false, size_t options = 0) {
  Built built;
  built.bytes.assign(12, 2);
  if (tagged) built.bytes.insert(built.bytes.end(), {0x81, 0, 0, 7});
  built.bytes.insert(built.bytes.end(), {8, 0});
  const size_t ip = built.bytes.size();
  built.bytes.resize(ip + 20 + options + payload);
  built.bytes[ip] = static_cast<uint8_t>(0x45 + options / 4);
  wire::store_be16(&built.bytes[ip + 2], static_cast<uint16_t>(20 + options + payload));
  built.bytes[ip + 8] = 64;
  built.bytes[ip + 9] = protocol;
  if (protocol == wire::protocol::tcp) built.bytes[ip + 20 + options + 12] = 8 << 4;
  if (protocol == wire::protocol::udp)
    wire::store_be16(&built.bytes[ip + 20 + options + 4], static_cast<uint16_t>(payload));
  return built;
}

Built ipv6(uint8_t protocol, size_t payload, bool hop_by_hop = false) {
  Built built;
  built.bytes.assign(12, 2);
  built.bytes.insert(built.bytes.end(), {0x86, 0xdd, 0x60, 0, 0, 0});
  const size_t extension = hop_by_hop ? 8 : 0;
  built.bytes.insert(built.bytes.end(),
                     {static_cast<uint8_t>((payload + extension) >> 8), static_cast<uint8_t>(payload + extension),
                      hop_by_hop ? uint8_t{0} : protocol, 64});
  built.bytes.resize(54, 3);
  if (hop_by_hop) built.bytes.insert(built.bytes.end(), {protocol, 0, 1, 4, 0, 0, 0, 0});
  const size_t transport = built.bytes.size();
  built.bytes.resize(transport + payload);
  if (protocol == wire::protocol::tcp) built.bytes[transport + 12] = 5 << 4;
  if (protocol == wire::protocol::udp) wire::store_be16(&built.bytes[transport + 4], static_cast<uint16_t>(payload));
  return built;
}

struct Case {
  const char* what;
  Built built;
  Segmentation segmentation;
  VirtioHeader header;
};

std::vector<Case> cases() {
  return {
      {"TCP", ipv4(6, 100), Segmentation::none, {1, 0, 0, 0, 34, 16}},
      {"UDP", ipv4(17, 100), Segmentation::none, {1, 0, 0, 0, 34, 6}},
      {"TCP behind a VLAN tag and IP options", ipv4(6, 100, true, 8), Segmentation::none, {1, 0, 0, 0, 46, 16}},
      {"TCP of IPv6", ipv6(6, 100), Segmentation::none, {1, 0, 0, 0, 54, 16}},
      {"UDP behind an extension header", ipv6(17, 100, true), Segmentation::none, {1, 0, 0, 0, 62, 6}},
      {"TCP segments", ipv4(6, 9000), Segmentation::tcp4, {1, 1, 66, 1448, 34, 16}},
      {"TCP segments of IPv6", ipv6(6, 9000), Segmentation::tcp6, {1, 4, 74, 1428, 54, 16}},
      {"UDP segments", ipv4(17, 9000), Segmentation::udp, {1, 5, 42, 1200, 34, 6}},
  };
}

void check_same(const VirtioHeader& out, const VirtioHeader& expected) {
  CHECK(out.flags == expected.flags);
  CHECK(out.segmentation == expected.segmentation);
  CHECK(out.header_length == expected.header_length);
  CHECK(out.segment_size == expected.segment_size);
  CHECK(out.checksum_start == expected.checksum_start);
  CHECK(out.checksum_offset == expected.checksum_offset);
}

TEST_CASE("a partial checksum and segmentation are read and written alike") {
  for (Case& each : cases()) {
    CAPTURE(each.what);
    director::Frame frame = each.built.frame();
    REQUIRE(read_virtio_header(each.header, frame));
    CHECK(frame.checksum == TransportChecksum::partial);
    CHECK(frame.segmentation == each.segmentation);
    CHECK(frame.segment_size == each.header.segment_size);
    VirtioHeader out;
    REQUIRE(write_virtio_header(frame, out));
    check_same(out, each.header);
  }
}

TEST_CASE("for a packet in a tunnel, checksum and segmentation are those of the inner packet") {
  struct Tunnelled {
    const char* what;
    Built inside;
    Segmentation segmentation;
    std::vector<uint8_t> outer;  // headers of a tunnel; their content is not read
    VirtioHeader header;
  };
  Tunnelled cases[] = {
      {"IPv4 in IPv4", ipv4(6, 9000), Segmentation::tcp4, std::vector<uint8_t>(20), {1, 1, 86, 1400, 54, 16}},
      {"IPv6 in GUE", ipv6(6, 9000), Segmentation::tcp6, std::vector<uint8_t>(32), {1, 4, 106, 1400, 86, 16}},
      {"with options", ipv4(6, 9000, false, 8), Segmentation::tcp4, std::vector<uint8_t>(24), {1, 1, 98, 1400, 66, 16}},
  };
  for (Tunnelled& each : cases) {
    CAPTURE(each.what);
    each.inside.bytes.insert(each.inside.bytes.begin() + 14, each.outer.begin(), each.outer.end());
    director::Frame frame = each.inside.frame();
    frame.checksum = TransportChecksum::partial;
    frame.segmentation = each.segmentation;
    frame.segment_size = 1400;
    frame.tunnel_length = static_cast<uint8_t>(each.outer.size());
    VirtioHeader out;
    REQUIRE(write_virtio_header(frame, out));
    check_same(out, each.header);
  }
}

TEST_CASE("an ordinary frame has an empty virtio header in both directions") {
  Built built = ipv4(6, 100);
  director::Frame frame = built.frame();
  REQUIRE(read_virtio_header({}, frame));
  CHECK(frame.checksum == TransportChecksum::complete);
  CHECK(frame.segmentation == Segmentation::none);
  VirtioHeader out{.flags = 9};
  REQUIRE(write_virtio_header(frame, out));
  CHECK(out.flags == 0);
  CHECK(out.segmentation == 0);
}

TEST_CASE("segments with CWR are marked, so that only the first segment keeps CWR") {
  Built built = ipv4(6, 9000);
  built.bytes[34 + 13] = 0x90;  // CWR, ACK
  director::Frame frame = built.frame();
  REQUIRE(read_virtio_header({1, 0x81, 66, 1448, 34, 16}, frame));
  CHECK(frame.segmentation == Segmentation::tcp4);
  VirtioHeader out;
  REQUIRE(write_virtio_header(frame, out));
  CHECK(out.segmentation == 0x81);
}

TEST_CASE("a partial checksum inside a tunnel is completed, because the director knows only the outer transport") {
  Built built = ipv4(wire::protocol::tcp, 60);
  built.bytes[14 + 9] = 4;  // IP in IP: what follows is a packet of its own
  wire::store_be16(&built.bytes[40 + 6], 0x1234);
  std::vector<uint8_t> covered(built.bytes.begin() + 40, built.bytes.end());
  director::Frame frame = built.frame();
  REQUIRE(read_virtio_header({1, 0, 0, 0, 40, 6}, frame));
  CHECK(frame.checksum == TransportChecksum::complete);
  CHECK(wire::load_raw16(&built.bytes[46]) == wire::internet_checksum(covered));
}

TEST_CASE("an SCTP checksum that was left to a device is computed") {
  Built built = ipv4(wire::protocol::sctp, 40);
  director::Frame frame = built.frame();
  REQUIRE(read_virtio_header({1, 0, 0, 0, 34, 8}, frame));
  CHECK(frame.checksum == TransportChecksum::complete);
  std::vector<uint8_t> packet(built.bytes.begin() + 34, built.bytes.end());
  const uint32_t found = wire::load_be32(&packet[8]);
  wire::store_be32(&packet[8], 0);
  wire::MutableSctpView(packet).fill_checksum();
  CHECK(found == wire::load_be32(&packet[8]));
}

TEST_CASE("a header that the director cannot handle is refused") {
  const struct {
    const char* what;
    VirtioHeader header;
  } bad[] = {
      {"segments of an unknown kind", {1, 3, 54, 1448, 34, 16}},
      {"segments of no size", {1, 1, 54, 0, 34, 16}},
      {"segments with complete checksums", {0, 1, 54, 1448, 0, 0}},
      {"segments of a packet inside a tunnel", {1, 1, 74, 1448, 54, 16}},
      {"a checksum beyond the frame", {1, 0, 0, 0, 65000, 16}},
      {"a checksum at the frame's last byte", {1, 0, 0, 0, 153, 0}},
      {"an SCTP checksum in less than a header", {1, 0, 0, 0, 144, 8}},
  };
  for (const auto& each : bad) {
    CAPTURE(each.what);
    Built built = ipv4(6, 120);
    director::Frame frame = built.frame();
    CHECK_FALSE(read_virtio_header(each.header, frame));
  }
}

TEST_CASE("a frame that leaves work on a missing transport header is not sent") {
  Built built = ipv4(1, 100);
  director::Frame frame = built.frame();
  frame.checksum = TransportChecksum::partial;
  VirtioHeader header;
  CHECK_FALSE(write_virtio_header(frame, header));
  Built cut = ipv4(6, 40);
  cut.bytes.resize(34 + 10);
  frame = cut.frame();
  frame.checksum = TransportChecksum::partial;
  CHECK_FALSE(write_virtio_header(frame, header));
}

}  // namespace
}  // namespace sluice::port
