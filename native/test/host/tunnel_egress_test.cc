// SPDX-License-Identifier: Apache-2.0
// Tunnelled TCP frames that the kernel cuts, compared with those that the director cuts.
#include "host/tunnel_egress.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "director/outgoing/outgoing.h"
#include "namespace.h"
#include "port/packet_ring.h"

using namespace sluice;
using director::Encapsulation;
using director::IpPacket;
using test::Buffer;
using test::Sum;

namespace {

constexpr uint16_t segment_size = 1000, first_id = 100;
constexpr size_t payload_length = 3500, link_length = 14;

struct Case {
  const char* what;
  director::Tunnel tunnel;
  bool inner4, outer4;
};
const Case cases[] = {
    {"IPv4 in IPv4", {}, true, true},
    {"IPv6 in IPv4", {}, false, true},
    {"IPv4 in IPv6", {}, true, false},
    {"IPv6 in IPv6", {}, false, false},
    {"IPv4 in GUE", {.encapsulation = Encapsulation::gue, .port = 6080}, true, true},
    {"IPv6 in GUE over IPv6", {.encapsulation = Encapsulation::gue, .port = 6080}, false, false},
    {"IPv4 in GRE", {.encapsulation = Encapsulation::gre}, true, true},
    {"IPv6 in GRE over IPv4", {.encapsulation = Encapsulation::gre}, false, true},
    {"IPv4 in GRE over IPv6", {.encapsulation = Encapsulation::gre}, true, false},
};

Buffer inner_packet(const Case& each) {
  Buffer data(payload_length);
  for (size_t i = 0; i < data.size(); i++) data[i] = static_cast<uint8_t>(i * 7);
  const test::TcpLayer tcp{
      .sequence = 1000, .flags = test::ACK | test::PSH, .options = Buffer(12, 1), .sum = Sum::partial};
  auto builder = each.inner4 ? test::ipv4({.id = 7}) : test::ipv6({});
  return builder.tcp(tcp).payload(data).build();
}

// A link header, the tunnel's headers and the packet, with room in front.
struct Wrapped {
  Buffer memory;
  size_t at = 0, tunnel = 0;
  Buffer frame() const { return {memory.begin() + static_cast<ptrdiff_t>(at), memory.end()}; }
};

Wrapped wrap(const Case& each, const Buffer& inner, uint16_t id) {
  Wrapped wrapped{.memory = Buffer(director::required_headroom)};
  wrapped.memory.insert(wrapped.memory.end(), inner.begin(), inner.end());
  IpPacket packet{wrapped.memory.data() + director::required_headroom, static_cast<uint32_t>(inner.size()),
                  each.inner4 ? wire::Family::ipv4 : wire::Family::ipv6};
  const auto end = [&](const char* v4, const char* v6) { return test::address(each.outer4 ? v4 : v6); };
  const director::OuterHeader outer{end("10.9.0.1", "2001:db8:9::1"), end("10.9.0.2", "2001:db8:9::2"), id, false};
  REQUIRE(director::encapsulate(packet, each.tunnel, outer, false, 0, 0));
  wrapped.tunnel = packet.length - inner.size();
  const Buffer link = test::ethernet({.source = test::inside_mac,
                                      .destination = test::outside_mac,
                                      .type = each.outer4 ? wire::ethertype::ipv4 : wire::ethertype::ipv6})
                          .build();
  wrapped.at = static_cast<size_t>(packet.data - wrapped.memory.data()) - link_length;
  std::copy_n(link.begin(), link_length, wrapped.memory.begin() + static_cast<ptrdiff_t>(wrapped.at));
  return wrapped;
}

class Pieces : public director::PieceSink {
 public:
  uint8_t* next_piece(uint32_t length) override { return all.emplace_back(length).data(); }
  std::vector<Buffer> all;
};

// What the director sends if no device cuts.
std::vector<Buffer> cut_by_director(const Case& each) {
  Buffer inner = inner_packet(each);
  const IpPacket packet{inner.data(), static_cast<uint32_t>(inner.size()),
                        each.inner4 ? wire::Family::ipv4 : wire::Family::ipv6};
  Pieces pieces;
  pieces.all.reserve(8);
  REQUIRE(director::segment_packet(packet, each.inner4 ? 20 : 40,
                                   each.inner4 ? director::Segmentation::tcp4 : director::Segmentation::tcp6,
                                   segment_size, pieces));
  std::vector<Buffer> frames;
  for (const Buffer& piece : pieces.all) {
    frames.push_back(wrap(each, piece, static_cast<uint16_t>(first_id + frames.size())).frame());
  }
  return frames;
}

class Network {
 public:
  Network() {
    namespaces_.outside([&] { outside_.emplace("x0"); });
    REQUIRE(ring_.open({.interface = "b0"}));
  }
  uint32_t interface() const { return namespaces_.interface(); }

  void send_whole(const Case& each) {
    Wrapped wrapped = wrap(each, inner_packet(each), first_id);
    director::Frame frame;
    frame.data = wrapped.memory.data() + wrapped.at;
    frame.length = static_cast<uint32_t>(wrapped.memory.size() - wrapped.at);
    frame.checksum = director::TransportChecksum::partial;
    frame.segmentation = each.inner4 ? director::Segmentation::tcp4 : director::Segmentation::tcp6;
    frame.segment_size = segment_size;
    frame.tunnel_length = static_cast<uint8_t>(wrapped.tunnel);
    ring_.transmit(frame);
    ring_.flush();
  }
  // The next frame that is as long as a segment.
  Buffer arrived(int milliseconds = 2000) {
    return outside_->receive([](const Buffer& frame) { return frame.size() > payload_length % segment_size; },
                             milliseconds);
  }

 private:
  test::Namespaces namespaces_;
  std::optional<test::FrameSocket> outside_;
  port::PacketRing ring_;
};

}  // namespace

TEST_CASE("for a device that cannot cut, the kernel cuts a tunnelled frame as the director would") {
  if (!test::is_root()) return;
  Network network;
  test::shell("ethtool -K b0 tso off tx off > /dev/null");
  host::TunnelEgress egress;
  host::Failure failure;
  REQUIRE_MESSAGE(egress.add(network.interface(), failure), failure.message);
  for (const Case& each : cases) {
    CAPTURE(each.what);
    const std::vector<Buffer> expected = cut_by_director(each);
    REQUIRE(expected.size() == 4);
    network.send_whole(each);
    for (const Buffer& frame : expected) CHECK(network.arrived() == frame);
  }
}

TEST_CASE("a device that cuts tunnelled frames gets them whole") {
  if (!test::is_root()) return;
  Network network;
  host::TunnelEgress egress;
  host::Failure failure;
  REQUIRE_MESSAGE(egress.add(network.interface(), failure), failure.message);
  for (const Case& each : cases) {
    CAPTURE(each.what);
    network.send_whole(each);
    CHECK(network.arrived() == wrap(each, inner_packet(each), first_id).frame());
  }
}

TEST_CASE("there is no program at the egress of an interface that does not exist") {
  if (!test::is_root()) return;
  host::TunnelEgress egress;
  host::Failure failure;
  CHECK_FALSE(egress.add(999'999, failure));
  CHECK(failure.message.find("egress of interface 999999") != std::string::npos);
}
