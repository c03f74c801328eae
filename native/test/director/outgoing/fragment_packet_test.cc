// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "director/outgoing/outgoing.h"
#include "pieces.h"

using namespace sluice;
using namespace sluice::test;

namespace {

struct Extent {
  uint32_t offset, length;  // of the fragment's data in the datagram
  bool more;
  bool operator==(const Extent&) const = default;
};

doctest::String toString(const std::vector<Extent>& extents) {
  std::string text;
  for (const Extent& e : extents) {
    text += std::to_string(e.offset) + "+" + std::to_string(e.length) + (e.more ? " more, " : ", ");
  }
  return text.c_str();
}

std::vector<Extent> extents_of(const Pieces& pieces) {
  std::vector<Extent> extents;
  for (size_t i = 0; i < pieces.size(); i++) {
    wire::Packet found;
    // A first fragment may be too short for its transport header. Its offset is still found.
    wire::dissect_ip(pieces[i], found);
    REQUIRE(found.fragment != wire::Fragment::none);
    extents.push_back({found.fragment_offset, found.l4_length(), found.more_fragments});
  }
  return extents;
}

// What the receiver has after it got all pieces, in any order.
Buffer reassembled_data(const Pieces& pieces, uint32_t first_offset) {
  Buffer data;
  for (size_t i = pieces.size(); i-- > 0;) {
    wire::Packet found;
    wire::dissect_ip(pieces[i], found);
    const size_t at = found.fragment_offset - first_offset;
    if (data.size() < at + found.l4_length()) data.resize(at + found.l4_length());
    std::copy_n(pieces[i].begin() + found.l4, found.l4_length(), data.begin() + static_cast<ptrdiff_t>(at));
  }
  return data;
}

Buffer header_bytes(wire::Bytes packet) {
  const size_t length = wire::Ipv4View(packet).header_length();
  return {packet.begin(), packet.begin() + static_cast<ptrdiff_t>(length)};
}

// The part of the header that all fragments share: fields that differ are set to one value.
Buffer common_header(wire::Bytes packet) {
  Buffer header = header_bytes(packet);
  wire::MutableIpv4View ip(header);
  ip.set_total_length(0);
  ip.set_flags_and_offset(0);
  ip.set_checksum(0);
  return header;
}

}  // namespace

TEST_CASE("IPv4 packets are cut at multiples of eight bytes and can be reassembled") {
  const auto datagram = [](size_t data, Ipv4Layer layer = {}) {
    layer.id = 4711;
    layer.tos = 0x28;
    layer.protocol = wire::protocol::udp;
    return ipv4(layer).payload(pattern(data)).build();
  };
  const struct {
    const char* what;
    Buffer packet;
    uint32_t mtu;
    std::vector<Extent> expected;
  } cases[] = {
      {"exact multiples", datagram(2960), 1500, {{0, 1480, true}, {1480, 1480, false}}},
      {"one byte more", datagram(2961), 1500, {{0, 1480, true}, {1480, 1480, true}, {2960, 1, false}}},
      {"an MTU that leaves no multiple of eight", datagram(100), 75, {{0, 48, true}, {48, 48, true}, {96, 4, false}}},
      {"eight bytes a fragment", datagram(17), 28, {{0, 8, true}, {8, 8, true}, {16, 1, false}}},
      {"the smallest MTU of IPv4", datagram(96), 68, {{0, 48, true}, {48, 48, false}}},
      // Recorded: tunnel/ipip-too-big, tunnel/ipip-pmtu-off.
      {"a tunnel's packet one byte too long", datagram(1481), 1500, {{0, 1480, true}, {1480, 1, false}}},
      {"a tunnel's packet of a full inner one", datagram(1500), 1500, {{0, 1480, true}, {1480, 20, false}}},
      {"a first fragment", datagram(32, {.more = true}), 44, {{0, 24, true}, {24, 8, true}}},
      {"a fragment in the middle", datagram(48, {.offset = 800, .more = true}), 44, {{800, 24, true}, {824, 24, true}}},
      {"a last fragment", datagram(50, {.offset = 800}), 44, {{800, 24, true}, {824, 24, true}, {848, 2, false}}},
      {"the last bytes of the longest datagram",
       datagram(39, {.offset = 65496}),
       44,
       {{65496, 24, true}, {65520, 15, false}}},
      {"a header of sixty bytes", datagram(20, {.options = Buffer(40, 1)}), 76, {{0, 16, true}, {16, 4, false}}},
      {"it would fit in one piece", datagram(20, {.more = true}), 1500, {{0, 20, true}}},
  };
  for (const auto& c : cases) {
    CAPTURE(c.what);
    Placed placed(c.packet);
    const wire::Ipv4View original(c.packet);
    Pieces pieces;
    REQUIRE(fragment_packet(placed.packet, c.mtu, 99, pieces));
    CHECK(extents_of(pieces) == c.expected);
    CHECK(digits(reassembled_data(pieces, original.fragment_offset())) == digits(original.payload()));
    CHECK(digits(placed.bytes()) == digits(c.packet));
    for (size_t i = 0; i < pieces.size(); i++) {
      const wire::Ipv4View piece(pieces[i]);
      CHECK(pieces[i].size() <= c.mtu);
      CHECK(piece.total_length() == pieces[i].size());
      CHECK(piece.is_checksum_ok());
      CHECK(digits(common_header(pieces[i])) == digits(common_header(c.packet)));
    }
  }
}

TEST_CASE("IPv4 options with the copy bit are copied into later fragments, others are blanked") {
  const struct {
    const char* what;
    const char* options;
    const char* later;
  } cases[] = {
      {"router alert is copied", "94040000", "94040000"},
      {"record route is not", "07070400000000 00", "01010101010101 00"},
      {"timestamp is not, the loose source route behind it is", "440c0500 00000000 00000000 830704 0a000101 00",
       "01010101 01010101 01010101 830704 0a000101 00"},
      {"no-operations stay", "0101 94040000 0101", "0101 94040000 0101"},
      {"nothing is read behind the end of the list", "94040000 00440404", "94040000 00440404"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.what);
    const Buffer options = hex(c.options);
    const Buffer packet = ipv4({.options = options, .protocol = wire::protocol::udp}).payload(pattern(40)).build();
    Placed placed(packet);
    Pieces pieces;
    REQUIRE(fragment_packet(placed.packet, static_cast<uint32_t>(20 + options.size() + 16), 0, pieces));
    REQUIRE(pieces.size() == 3);
    CHECK(digits(wire::Ipv4View(pieces[0]).options()) == digits(options));
    CHECK(digits(wire::Ipv4View(pieces[1]).options()) == digits(hex(c.later)));
    CHECK(digits(wire::Ipv4View(pieces[2]).options()) == digits(hex(c.later)));
    for (size_t i = 0; i < 3; i++) CHECK(wire::Ipv4View(pieces[i]).is_checksum_ok());
  }
}

TEST_CASE("a tunnel's IPv6 packets are cut by their sender and can be reassembled") {
  const struct {
    const char* what;
    size_t data;
    uint32_t mtu;
    std::vector<Extent> expected;
  } cases[] = {
      {"exact multiples", 2464, 1280, {{0, 1232, true}, {1232, 1232, false}}},
      {"one byte more", 2465, 1280, {{0, 1232, true}, {1232, 1232, true}, {2464, 1, false}}},
      // Recorded: mixed-families/4-in-6-gre.
      {"a GRE packet of 1494 bytes", 1494, 1500, {{0, 1448, true}, {1448, 46, false}}},
      {"eight bytes a fragment", 9, 56, {{0, 8, true}, {8, 1, false}}},
  };
  for (const auto& c : cases) {
    CAPTURE(c.what);
    const Buffer packet = ipv6({.hop_limit = 9, .traffic_class = 0xb8, .next_header = wire::protocol::gre})
                              .payload(pattern(c.data))
                              .build();
    Placed placed(packet);
    Pieces pieces;
    REQUIRE(fragment_packet(placed.packet, c.mtu, 0xdeadbeef, pieces));
    CHECK(extents_of(pieces) == c.expected);
    CHECK(digits(reassembled_data(pieces, 0)) == digits(wire::Bytes(packet).subspan(40)));
    for (size_t i = 0; i < pieces.size(); i++) {
      CHECK(pieces[i].size() <= c.mtu);
      const Extent& e = c.expected[i];
      CHECK(digits(pieces[i]) ==
            digits(ipv6({.hop_limit = 9, .traffic_class = 0xb8})
                       .fragment({.offset = static_cast<uint16_t>(e.offset),
                                  .more = e.more,
                                  .id = 0xdeadbeef,
                                  .next_header = wire::protocol::gre})
                       .payload(Buffer(packet.begin() + 40 + e.offset, packet.begin() + 40 + e.offset + e.length))
                       .build()));
    }
  }
}

TEST_CASE("a packet that cannot be cut is refused before anything is written") {
  const struct {
    const char* what;
    Buffer packet;
    uint32_t mtu;
  } cases[] = {
      {"no room for eight bytes of data", ipv4().udp().payload(pattern(100)).build(), 27},
      {"no room for the header's options", ipv4({.options = Buffer(40, 1)}).udp().payload(pattern(100)).build(), 67},
      {"an MTU of zero", ipv4().udp().payload(pattern(100)).build(), 0},
      {"no room for IPv6's fragment header", ipv6().udp().payload(pattern(100)).build(), 55},
      {"IPv6 hop-by-hop options", ipv6().hop_by_hop().udp().payload(pattern(100)).build(), 64},
      {"an IPv6 routing header", ipv6().routing(Buffer(6)).udp().payload(pattern(100)).build(), 64},
      {"an IPv6 fragment", ipv6().fragment({.more = true}).udp().payload(pattern(104)).build(), 64},
      {"a fragment that ends past the longest datagram",
       ipv4({.offset = 65520, .protocol = wire::protocol::udp}).payload(pattern(16)).build(), 28},
  };
  for (const auto& c : cases) {
    CAPTURE(c.what);
    Placed placed(c.packet);
    Pieces pieces;
    CHECK_FALSE(fragment_packet(placed.packet, c.mtu, 1, pieces));
    CHECK(pieces.size() == 0);
  }
}

TEST_CASE("cutting ends when there is no more room for pieces") {
  for (const Buffer& packet :
       {ipv4().udp().payload(pattern(100)).build(), ipv6().udp().payload(pattern(100)).build()}) {
    Placed placed(packet);
    Pieces pieces(2);
    CHECK(fragment_packet(placed.packet, 64, 1, pieces));
    CHECK(pieces.size() == 2);
  }
}
