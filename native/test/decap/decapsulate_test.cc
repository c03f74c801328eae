// SPDX-License-Identifier: Apache-2.0
#include "decap/decapsulate.h"

#include <doctest/doctest.h>

#include "director/outgoing/outgoing.h"
#include "test/director/outgoing/pieces.h"

using namespace sluice;
using namespace sluice::test;
using decap::Arrived;
using decap::Inner;
using decap::Reason;
using director::Encapsulation;
using director::Tunnel;

namespace {

// Removes the headers that the sockets remove: the outer IP header, for GUE the UDP header, too.
Arrived arrive(Buffer& outer) {
  Arrived arrived;
  if (outer[0] >> 4 == 4) {
    REQUIRE(decap::strip_ipv4(outer, arrived));
  } else {
    const wire::Ipv6View ip(outer);
    arrived = {ip.next_header(), ip.traffic_class(), wire::MutableBytes(outer).subspan(wire::Ipv6View::header_length)};
  }
  if (arrived.protocol == wire::protocol::udp) arrived.payload = arrived.payload.subspan(wire::UdpView::header_length);
  return arrived;
}

Inner taken_from(Buffer& outer, std::span<const wire::Address> addresses = {}) {
  return decap::decapsulate(arrive(outer), addresses);
}
Inner taken(uint8_t protocol, Buffer& payload, uint8_t traffic_class = 0) {
  return decap::decapsulate({protocol, traffic_class, payload}, {});
}

const director::OuterHeader to_v4{address("10.0.2.1"), address("10.0.2.11"), 4711, true};
const director::OuterHeader to_v6{address("fd00:2::1"), address("fd00:2::11"), 4711, true};

Buffer wrapped(const Buffer& inner, const Tunnel& tunnel, const director::OuterHeader& outer, bool partial = false,
               uint16_t start = 0, uint16_t offset = 0) {
  Placed placed(inner, director::tunnel_overhead(tunnel, outer.destination.family, partial));
  REQUIRE(director::encapsulate(placed.packet, tunnel, outer, partial, start, offset));
  return {placed.bytes().begin(), placed.bytes().end()};
}

constexpr uint8_t ipip = wire::protocol::ipip, ipv6_in = wire::protocol::ipv6, gre = wire::protocol::gre,
                  gue = wire::protocol::udp;

}  // namespace

// Packets that the kernel sent to a tunnelled real server, from the recordings of lab/ipvs-oracle. The recordings'
// names come first.
TEST_CASE("packets that the kernel has put into tunnels are unwrapped") {
  const struct {
    const char* what;
    size_t overhead;
    const char* packet;
  } cases[] = {
      {"tunnel/ipip", 20,
       "4528003c000040001004528b0a0002010a00020b4528002812674000100641dc0a0001020a00016404000050000003e800000000"
       "5002200071450000"},
      {"tunnel/gre", 24,
       "4528004000004000102f525c0a0002010a00020b000008004528002812674000100641dc0a0001020a00016404000050000003e8"
       "000000005002200071450000"},
      {"tunnel/gre-csum", 28,
       "4528004400004000102f52580a0002010a00020b800008008e7f00004528002812674000100641dc0a0001020a00016404000050"
       "000003e8000000005002200071450000"},
      {"tunnel/gue", 32,
       "4528004800004000101152720a0002010a00020bee0017c00034f835000400004528002812674000100641dc0a0001020a000164"
       "04000050000003e8000000005002200071450000"},
      {"ipv6/tunnel-ipip", 40,
       "62a00000003c2910fd000002000000000000000000000001fd00000200000000000000000000001162b1234500140610fd000001"
       "000000000000000000000002fd00000100000000000000000000010004000050000003e800000000500220008ca50000"},
      {"ipv6/tunnel-gre-csum", 48,
       "62a0000000442f10fd000002000000000000000000000001fd000002000000000000000000000011800086dd6d21000062b12345"
       "00140610fd000001000000000000000000000002fd00000100000000000000000000010004000050000003e80000000050022000"
       "8ca50000"},
      {"mixed-families/4-in-6-gue", 52,
       "62a0000000341110fd000002000000000000000000000001fd000002000000000000000000000011ee0017c00034000000040000"
       "452b0028000140001006543f0a0001020a00016404000050000003e8000000005002200071450000"},
      {"mixed-families/6-in-4-ipip", 20,
       "452a00504bce0000102946820a0002010a00020b62b1234500140610fd000001000000000000000000000002fd00000100000000"
       "000000000000010004000050000003e800000000500220008ca50000"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.what);
    Buffer outer = hex(c.packet);
    const Buffer inner(outer.begin() + static_cast<ptrdiff_t>(c.overhead), outer.end());
    const Inner found = taken_from(outer);
    CHECK(found.reason == Reason::delivered);
    CHECK(digits(found.packet) == digits(inner));
    CHECK_FALSE(found.is_partial);
  }
}

TEST_CASE("packets that the director has put into tunnels are unwrapped") {
  const Tunnel tunnels[] = {
      {},
      {.encapsulation = Encapsulation::gre},
      {.encapsulation = Encapsulation::gre, .checksum = true},
      {.encapsulation = Encapsulation::gue, .port = 6080},
      {.encapsulation = Encapsulation::gue, .port = 6080, .checksum = true},
      {.encapsulation = Encapsulation::gue, .port = 6080, .remote_checksum = true},
  };
  const Buffer inners[] = {
      ipv4({.ttl = 7, .tos = 0xb8}).tcp({.flags = ACK}).payload(pattern(1001)).build(),
      ipv4({.ttl = 1, .options = hex("07070400000000 00")}).udp().payload(pattern(5)).build(),
      ipv4({.offset = 80, .more = true, .protocol = wire::protocol::udp}).payload(pattern(48)).build(),
      ipv6({.hop_limit = 1, .flow_label = 5}).udp().payload("abc").build(),
      ipv6().fragment({.more = true}).udp().payload(pattern(16)).build(),
      ipv4().icmp().payload("abc").build(),
      ipv4().sctp().chunk({.value = pattern(5)}).build(),
  };
  for (const Tunnel& tunnel : tunnels) {
    for (const director::OuterHeader& header : {to_v4, to_v6}) {
      for (const Buffer& inner : inners) {
        Buffer outer = wrapped(inner, tunnel, header);
        CAPTURE(digits(outer));
        const Inner found = taken_from(outer);
        CHECK(found.reason == Reason::delivered);
        CHECK(digits(found.packet) == digits(inner));
        CHECK_FALSE(found.is_partial);
      }
    }
  }
}

TEST_CASE("a remote checksum that points into the payload is left to the host") {
  const Tunnel tunnel{.encapsulation = Encapsulation::gue, .port = 6080, .remote_checksum = true};
  const Buffer inner = ipv6().udp({.sum = Sum::partial}).payload(pattern(90)).build();
  Buffer outer = wrapped(inner, tunnel, to_v4, true, 40, wire::UdpView::checksum_offset);
  const Inner found = taken_from(outer);
  CHECK(found.reason == Reason::delivered);
  CHECK(digits(found.packet) == digits(inner));
  CHECK(found.is_partial);
  CHECK(found.checksum_start == 40);
  CHECK(found.checksum_offset == wire::UdpView::checksum_offset);

  const struct {
    const char* what;
    uint16_t start, offset;
  } cases[] = {{"into the IP header", 24, 46},
               {"before where it starts", 40, 38},
               {"behind the packet", 40, static_cast<uint16_t>(inner.size() - 1)}};
  for (const auto& c : cases) {
    CAPTURE(c.what);
    const wire::GueFields fields{.protocol = ipv6_in, .remote_checksum = wire::RemoteChecksum{c.start, c.offset}};
    Buffer payload(fields.header_length());
    emit(fields, payload.data());
    payload = payload + inner;
    CHECK(taken(gue, payload).reason == Reason::bad_remote_checksum);
  }
}

TEST_CASE("joined segments keep their partial checksum, and the host is told") {
  for (const Buffer& inner : {ipv4().tcp({.flags = ACK, .sum = Sum::partial}).payload(pattern(4000)).build(),
                              ipv6().tcp({.flags = ACK, .sum = Sum::partial}).payload(pattern(4000)).build()}) {
    Buffer outer = wrapped(inner, {}, to_v4);
    const Inner found = taken_from(outer);
    CHECK(found.reason == Reason::delivered);
    CHECK(found.is_partial);
    CHECK(found.checksum_start == (inner[0] >> 4 == 4 ? 20 : 40));
    CHECK(found.checksum_offset == wire::TcpView::checksum_offset);
  }
  // A complete checksum that happens to equal the partial one. The data are chosen to make that so.
  Buffer inner = ipv4().udp({.sum = Sum::partial}).payload(Buffer{0, 0}).build();
  const uint16_t rest =
      wire::finish_checksum(wire::sum_bytes(wire::Bytes(inner).subspan(20)) + wire::fold(wire::load_raw16(&inner[26])));
  wire::store_raw16(&inner[28], rest);
  Buffer outer = wrapped(inner, {}, to_v4);
  const Inner found = taken_from(outer);
  CHECK(found.reason == Reason::delivered);
  CHECK_FALSE(found.is_partial);
}

TEST_CASE("a packet with a damaged transport checksum is delivered: the host checks it") {
  const Buffer inner = ipv4().tcp({.checksum = 0x1234}).build();
  Buffer outer = wrapped(inner, {}, to_v4);
  const Inner found = taken_from(outer);
  CHECK(found.reason == Reason::delivered);
  CHECK_FALSE(found.is_partial);
}

// RFC 6040, figure 4. -1: the packet is dropped.
TEST_CASE("the inner congestion mark follows from the inner and the outer one") {
  constexpr uint8_t not_capable = 0, capable_1 = 1, capable_0 = 2, congested = 3;
  const struct {
    uint8_t inner, outer;
    int result;
  } cases[] = {
      {not_capable, not_capable, not_capable}, {not_capable, capable_0, not_capable},
      {not_capable, capable_1, not_capable},   {not_capable, congested, -1},
      {capable_0, not_capable, capable_0},     {capable_0, capable_0, capable_0},
      {capable_0, capable_1, capable_1},       {capable_0, congested, congested},
      {capable_1, not_capable, capable_1},     {capable_1, capable_0, capable_1},
      {capable_1, capable_1, capable_1},       {capable_1, congested, congested},
      {congested, not_capable, congested},     {congested, capable_0, congested},
      {congested, capable_1, congested},       {congested, congested, congested},
  };
  constexpr uint8_t dscp = 0xb8, other_dscp = 0x28;  // the outer one is ignored
  for (const auto& c : cases) {
    CAPTURE(int{c.inner});
    CAPTURE(int{c.outer});
    const auto tos = [](int mark) { return static_cast<uint8_t>(dscp | mark); };
    const auto both = {
        std::pair{ipip, [](uint8_t value) { return ipv4({.tos = value}).tcp().build(); }(tos(c.inner))},
        std::pair{ipv6_in, [](uint8_t value) { return ipv6({.traffic_class = value}).tcp().build(); }(tos(c.inner))}};
    for (auto [protocol, payload] : both) {
      const Inner found = taken(protocol, payload, static_cast<uint8_t>(other_dscp | c.outer));
      if (c.result < 0) {
        CHECK(found.reason == Reason::congestion);
      } else {
        const Buffer expected = protocol == ipip ? ipv4({.tos = tos(c.result)}).tcp().build()
                                                 : ipv6({.traffic_class = tos(c.result)}).tcp().build();
        CHECK(digits(found.packet) == digits(expected));
      }
    }
  }
}

TEST_CASE("padding after the inner packet is cut off") {
  const Buffer inner = ipv4().udp().payload("ab").build();
  Buffer payload = inner + Buffer(16);
  CHECK(digits(taken(ipip, payload).packet) == digits(inner));
}

TEST_CASE("GRE with key and sequence number, and GUE without a header, are unwrapped") {
  const Buffer inner = ipv4().udp().payload("ab").build();
  Buffer keyed = hex("b0000800 00000000 00000007 00000001") + inner;
  wire::store_raw16(&keyed[4], wire::internet_checksum(keyed));
  CHECK(digits(taken(gre, keyed).packet) == digits(inner));
  Buffer bare = inner;
  CHECK(digits(taken(gue, bare).packet) == digits(inner));
}

TEST_CASE("a packet that cannot be delivered is dropped with a reason") {
  const Buffer inner = ipv4().udp().payload("ab").build();
  const struct {
    const char* what;
    uint8_t protocol;
    Buffer payload;
    Reason reason;
  } cases[] = {
      {"nothing in IPIP", ipip, {}, Reason::bad_inner_header},
      {"IPv6 announced as IPv4", ipip, ipv6().udp().build(), Reason::bad_inner_header},
      {"IPv4 announced as IPv6", ipv6_in, inner + Buffer(40), Reason::bad_inner_header},
      {"an inner length beyond the packet", ipip, ipv4({.total_length = 100}).udp().build(), Reason::bad_inner_header},
      {"an inner IPv6 length beyond the packet", ipv6_in, ipv6({.payload_length = 100}).udp().build(),
       Reason::bad_inner_header},
      {"a wrong inner header checksum", ipip, ipv4({.checksum = 1}).udp().build(), Reason::bad_inner_checksum},
      {"an empty GRE packet", gre, {}, Reason::bad_tunnel_header},
      {"GRE version 1", gre, hex("00010800") + inner, Reason::bad_tunnel_header},
      {"a wrong GRE checksum", gre, hex("80000800 12340000") + inner, Reason::bad_tunnel_checksum},
      {"Ethernet in GRE", gre, hex("00006558") + Buffer(60), Reason::other_payload},
      {"an empty datagram to GUE's port", gue, {}, Reason::bad_tunnel_header},
      {"GUE with unknown flags", gue, hex("00040002") + inner, Reason::bad_tunnel_header},
      {"a GUE header beyond the datagram", gue, hex("1f040000"), Reason::bad_tunnel_header},
      {"a GUE control message", gue, hex("20000000"), Reason::control_message},
      {"TCP in GUE", gue, hex("00060000") + Buffer(20), Reason::other_payload},
      {"a protocol that is no tunnel", wire::protocol::esp, inner, Reason::other_payload},
  };
  for (const auto& c : cases) {
    CAPTURE(c.what);
    Buffer payload = c.payload;
    const Inner found = taken(c.protocol, payload);
    CHECK(decap::reason_name(found.reason) == decap::reason_name(c.reason));
    CHECK(found.packet.empty());
  }
}

TEST_CASE("a bad outer IPv4 header is not removed") {
  Arrived arrived;
  Buffer cut = ipv4({.total_length = 400}).udp().build();
  CHECK_FALSE(decap::strip_ipv4(cut, arrived));
  Buffer with_options = ipv4({.options = hex("01010101"), .protocol = ipip}).payload("ab").build();
  REQUIRE(decap::strip_ipv4(with_options, arrived));
  CHECK(digits(arrived.payload) == "6162");
}

TEST_CASE("if addresses are given, inner packets for other addresses are dropped") {
  const wire::Address own[] = {address("192.0.2.10"), address("2001:db8::10")};
  for (const auto& [destination, reason] :
       {std::pair{"192.0.2.10", Reason::delivered}, std::pair{"192.0.2.11", Reason::other_destination}}) {
    Buffer outer = wrapped(ipv4({.destination = destination}).udp().build(), {}, to_v4);
    CHECK(taken_from(outer, own).reason == reason);
  }
  for (const auto& [destination, reason] :
       {std::pair{"2001:db8::10", Reason::delivered}, std::pair{"2001:db8::11", Reason::other_destination}}) {
    Buffer outer = wrapped(ipv6({.destination = destination}).udp().build(), {}, to_v6);
    CHECK(taken_from(outer, own).reason == reason);
  }
}
