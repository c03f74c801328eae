// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "director/outgoing/outgoing.h"
#include "pieces.h"
#include "wire/sctp.h"

using namespace sluice;
using namespace sluice::test;
using director::Segmentation;

namespace {

constexpr uint8_t CWR = wire::tcp_flag::cwr, ECE = wire::tcp_flag::ece;

Buffer part(const Buffer& bytes, size_t at, size_t count) {
  return {bytes.begin() + static_cast<ptrdiff_t>(at), bytes.begin() + static_cast<ptrdiff_t>(at + count)};
}

void check_segments(const Buffer& frame, Segmentation kind, uint16_t size, const std::vector<Buffer>& expected) {
  Placed placed(frame);
  Pieces pieces;
  REQUIRE(segment_packet(placed.packet, placed.transport(), kind, size, pieces));
  REQUIRE(pieces.size() == expected.size());
  for (size_t i = 0; i < expected.size(); i++) {
    CAPTURE(i);
    CHECK(digits(pieces[i]) == digits(expected[i]));
  }
  CHECK_MESSAGE(digits(placed.bytes()) == digits(frame), "the frame itself is left alone");
}

}  // namespace

TEST_CASE("TCP is cut into the segments that a device would make") {
  const struct {
    const char* what;
    uint8_t flags;
    uint32_t sequence;
    Buffer options;
    size_t length;
    uint16_t size;
    std::vector<uint8_t> segment_flags;
  } cases[] = {
      {"FIN and PSH are the last one's", ACK | PSH | FIN, 1000, {}, 2500, 1000, {ACK, ACK, ACK | PSH | FIN}},
      {"an exact multiple", ACK | PSH, 1000, {}, 2000, 1000, {ACK, ACK | PSH}},
      {"CWR is the first one's, ECE everyone's",
       ACK | CWR | ECE,
       1,
       {},
       30,
       10,
       {ACK | CWR | ECE, ACK | ECE, ACK | ECE}},
      {"sequence numbers wrap", ACK, 0xfffffff0, {}, 48, 20, {ACK, ACK, ACK}},
      {"options in every segment", ACK, 5, hex("0101080a0000006400000065"), 31, 16, {ACK, ACK}},
      {"one segment is enough", ACK | PSH, 5, {}, 10, 1448, {ACK | PSH}},
      {"no data at all", ACK | CWR, 5, {}, 0, 1448, {ACK | CWR}},
      {"a byte a segment", ACK | PSH, 5, {}, 3, 1, {ACK, ACK, ACK | PSH}},
  };
  for (const auto& c : cases) {
    for (const Sum sum : {Sum::partial, Sum::right}) {
      CAPTURE(c.what);
      const Buffer data = pattern(c.length);
      TcpLayer tcp{.sequence = c.sequence, .acknowledgement = 7, .flags = c.flags, .options = c.options, .sum = sum};
      const Ipv4Layer ip4{.ttl = 9, .tos = 2, .id = 0xffff, .dont_fragment = true};
      const Ipv6Layer ip6{.hop_limit = 9, .traffic_class = 2, .flow_label = 77};
      const Buffer frame4 = ipv4(ip4).tcp(tcp).payload(data).build(), frame6 = ipv6(ip6).tcp(tcp).payload(data).build();

      std::vector<Buffer> expected4, expected6;
      tcp.sum = Sum::right;
      for (size_t i = 0; i < c.segment_flags.size(); i++) {
        const size_t at = i * c.size;
        Ipv4Layer numbered = ip4;
        numbered.id = static_cast<uint16_t>(ip4.id + i);
        tcp.sequence = static_cast<uint32_t>(c.sequence + at);
        tcp.flags = c.segment_flags[i];
        const Buffer piece = part(data, at, std::min<size_t>(c.size, c.length - at));
        expected4.push_back(ipv4(numbered).tcp(tcp).payload(piece).build());
        expected6.push_back(ipv6(ip6).tcp(tcp).payload(piece).build());
      }
      check_segments(frame4, Segmentation::tcp4, c.size, expected4);
      check_segments(frame6, Segmentation::tcp6, c.size, expected6);
    }
  }
}

TEST_CASE("UDP is cut into datagrams") {
  const Buffer data = pattern(2500);
  const Buffer options = hex("94040000");
  std::vector<Buffer> expected4, expected6;
  for (uint16_t i = 0; i < 3; i++) {
    const Buffer piece = part(data, i * 1000u, i == 2 ? 500 : 1000);
    expected4.push_back(
        ipv4({.id = static_cast<uint16_t>(40 + i), .options = options}).udp({.source_port = 9}).payload(piece).build());
    expected6.push_back(ipv6().destination_options().udp({.source_port = 9}).payload(piece).build());
  }
  const UdpLayer partial{.source_port = 9, .sum = Sum::partial};
  check_segments(ipv4({.id = 40, .options = options}).udp(partial).payload(data).build(), Segmentation::udp, 1000,
                 expected4);
  check_segments(ipv6().destination_options().udp(partial).payload(data).build(), Segmentation::udp, 1000, expected6);
}

TEST_CASE("a frame that is not what its segmentation says is not cut") {
  const Buffer tcp4 = ipv4().tcp().payload(pattern(100)).build();
  const Buffer udp4 = ipv4().udp().payload(pattern(100)).build();
  Buffer short_datagram = udp4;
  wire::store_be16(&short_datagram[24], 50);
  const struct {
    const char* what;
    Buffer packet;
    uint32_t transport;
    Segmentation kind;
    uint16_t size;
  } cases[] = {
      {"no segmentation", tcp4, 20, Segmentation::none, 10},
      {"a size of zero", tcp4, 20, Segmentation::tcp4, 0},
      {"TCP over IPv4 said to be over IPv6", tcp4, 20, Segmentation::tcp6, 10},
      {"TCP said to be UDP", tcp4, 20, Segmentation::udp, 10},
      {"UDP said to be TCP", udp4, 20, Segmentation::tcp4, 10},
      {"another place of the transport header", tcp4, 24, Segmentation::tcp4, 10},
      {"a fragment", ipv4({.more = true}).tcp().payload(pattern(104)).build(), 20, Segmentation::tcp4, 10},
      {"a TCP header that is cut", part(ipv4().tcp().build(), 0, 36), 20, Segmentation::tcp4, 10},
      {"TCP options past the packet", ipv4().tcp({.header_words = 15}).build(), 20, Segmentation::tcp4, 10},
      {"a datagram shorter than its packet", short_datagram, 20, Segmentation::udp, 10},
      {"ICMP", ipv4().icmp().payload(pattern(100)).build(), 20, Segmentation::tcp4, 10},
  };
  for (const auto& c : cases) {
    CAPTURE(c.what);
    Placed placed(c.packet);
    Pieces pieces;
    CHECK_FALSE(segment_packet(placed.packet, c.transport, c.kind, c.size, pieces));
    CHECK(pieces.size() == 0);
  }
}

TEST_CASE("segmentation ends when there is no more room for pieces") {
  Placed placed(ipv4().tcp().payload(pattern(100)).build());
  Pieces pieces(3);
  CHECK(segment_packet(placed.packet, 20, Segmentation::tcp4, 10, pieces));
  CHECK(pieces.size() == 3);
}

TEST_CASE("a partial checksum is completed to the one that its sender would have computed") {
  // If a datagram's payload is its own checksum, the sum is 0xffff and the checksum zero; UDP sends zero as all ones.
  const auto udp_of_zero_sum = [](UdpLayer layer) {
    const Buffer without = ipv4().udp().payload(hex("0000")).build();
    return ipv4().udp(layer).payload(part(without, 20 + wire::UdpView::checksum_offset, 2)).build();
  };
  const TcpLayer tcp{.flags = ACK | PSH, .options = hex("0101080a0000006400000065"), .sum = Sum::partial};
  const TcpLayer complete_tcp{.flags = ACK | PSH, .options = hex("0101080a0000006400000065")};
  const struct {
    const char* what;
    Buffer partial, complete;
    uint8_t protocol;
  } cases[] = {
      {"TCP", ipv4().tcp(tcp).payload(pattern(100)).build(), ipv4().tcp(complete_tcp).payload(pattern(100)).build(),
       wire::protocol::tcp},
      {"TCP, an odd length", ipv4().tcp(tcp).payload(pattern(99)).build(),
       ipv4().tcp(complete_tcp).payload(pattern(99)).build(), wire::protocol::tcp},
      {"TCP without data behind IPv4 options", ipv4({.options = hex("94040000")}).tcp(tcp).build(),
       ipv4({.options = hex("94040000")}).tcp(complete_tcp).build(), wire::protocol::tcp},
      {"TCP over IPv6", ipv6().tcp(tcp).payload(pattern(99)).build(),
       ipv6().tcp(complete_tcp).payload(pattern(99)).build(), wire::protocol::tcp},
      {"UDP", ipv4().udp({.sum = Sum::partial}).payload("abc").build(), ipv4().udp().payload("abc").build(),
       wire::protocol::udp},
      {"UDP whose sum is zero", udp_of_zero_sum({.sum = Sum::partial}), udp_of_zero_sum({}), wire::protocol::udp},
      {"UDP behind extension headers",
       ipv6().hop_by_hop().destination_options().udp({.sum = Sum::partial}).payload("abc").build(),
       ipv6().hop_by_hop().destination_options().udp().payload("abc").build(), wire::protocol::udp},
      {"SCTP's checksum is a device's to compute too", ipv4().sctp({.checksum = 0}).chunk().build(),
       ipv4().sctp().chunk().build(), wire::protocol::sctp},
      {"nothing is known of other protocols", ipv4({.protocol = 99}).payload(pattern(40)).build(),
       ipv4({.protocol = 99}).payload(pattern(40)).build(), 99},
      {"a header too short for its checksum field", ipv4({.protocol = 6}).payload(pattern(17)).build(),
       ipv4({.protocol = 6}).payload(pattern(17)).build(), wire::protocol::tcp},
      {"an SCTP header that is cut", ipv4({.protocol = 132}).payload(pattern(11)).build(),
       ipv4({.protocol = 132}).payload(pattern(11)).build(), wire::protocol::sctp},
      {"nothing behind the IP header", ipv4({.protocol = 17}).build(), ipv4({.protocol = 17}).build(),
       wire::protocol::udp},
  };
  for (const auto& c : cases) {
    CAPTURE(c.what);
    Placed placed(c.partial);
    complete_checksum(placed.packet, placed.transport(), c.protocol);
    CHECK(digits(placed.bytes()) == digits(c.complete));
  }
  const Buffer zero_sum = udp_of_zero_sum({});
  CHECK_MESSAGE(wire::load_be16(&zero_sum[26]) == 0xffff, "the case is what it says");
}
