// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <set>

#include "director/outgoing/outgoing.h"
#include "pieces.h"

using namespace sluice;
using namespace sluice::test;
using director::Encapsulation;
using director::Tunnel;

namespace {

constexpr uint16_t gue_port = 6080;
const Tunnel ipip{};
const Tunnel gre{.encapsulation = Encapsulation::gre};
const Tunnel gre_checksum{.encapsulation = Encapsulation::gre, .checksum = true};
const Tunnel gue{.encapsulation = Encapsulation::gue, .port = gue_port};
const Tunnel gue_checksum{.encapsulation = Encapsulation::gue, .port = gue_port, .checksum = true};
const Tunnel gue_remote{.encapsulation = Encapsulation::gue, .port = gue_port, .remote_checksum = true};

const director::OuterHeader to_v4{address("10.0.2.1"), address("10.0.2.11"), 4711, true};
const director::OuterHeader to_v6{address("fd00:2::1"), address("fd00:2::11"), 4711, true};

// Encapsulates the packet in memory that has room for the tunnel's headers and no more.
Buffer wrapped(const Buffer& inner, const Tunnel& tunnel, const director::OuterHeader& outer, bool partial = false,
               uint16_t checksum_start = 0, uint16_t checksum_offset = 0) {
  Placed placed(inner, director::tunnel_overhead(tunnel, outer.destination.family, partial));
  REQUIRE(encapsulate(placed.packet, tunnel, outer, partial, checksum_start, checksum_offset));
  CHECK(placed.packet.family == outer.destination.family);
  return {placed.bytes().begin(), placed.bytes().end()};
}

size_t ip_length(const Buffer& packet) {
  return packet[0] >> 4 == 4 ? wire::Ipv4View::minimum_header_length : wire::Ipv6View::header_length;
}
uint16_t source_port(const Buffer& gue_packet) {
  return wire::load_be16(&gue_packet[ip_length(gue_packet)]);
}

// The source port of GUE may be chosen freely; everything else must agree.
void set_source_port(Buffer& gue_packet, uint16_t port) {
  uint8_t* udp = &gue_packet[ip_length(gue_packet)];
  const uint16_t before = wire::load_raw16(udp);
  wire::store_be16(udp, port);
  const uint16_t checksum = wire::load_raw16(udp + wire::UdpView::checksum_offset);
  wire::store_raw16(udp + wire::UdpView::checksum_offset,
                    wire::updated_udp_checksum(checksum, wire::change16(before, wire::load_raw16(udp))));
}

director::OuterHeader outer_header_of(const Buffer& packet, bool pmtu_disc) {
  if (packet[0] >> 4 == 4) {
    const wire::Ipv4View ip(packet);
    return {ip.source(), ip.destination(), ip.id(), pmtu_disc};
  }
  const wire::Ipv6View ip(packet);
  return {ip.source(), ip.destination(), 0, pmtu_disc};
}

}  // namespace

// Packets that the kernel sent to a tunnelled real server, from the recordings of lab/ipvs-oracle. The recordings'
// names come first.
TEST_CASE("tunnels are built byte for byte as the kernel builds them") {
  const struct {
    const char* what;
    Tunnel tunnel;
    bool pmtu_disc;
    const char* packet;
  } cases[] = {
      {"tunnel/ipip: DSCP, TTL and DF of the inner header", ipip, true,
       "4528003c000040001004528b0a0002010a00020b4528002812674000100641dc0a0001020a00016404000050000003e8000000005002200"
       "0"
       "71450000"},
      {"tunnel/ipip: options in the inner header", ipip, true,
       "450000617a4200003f04e94b0a0002010a00020b4600004d000100003f06d0400a0001020a0001649404000004000050000003e90000000"
       "1"
       "501020005c7000006162636465666768696a6b6c6d6e6f70717273747576776162636465666768696a"},
      {"tunnel/ipip-pmtu-off: DF is not copied", ipip, false,
       "4500003c9dc200003f04c5f00a0002010a00020b45000028000140003f06256a0a0001020a00016404000050000003e8000000005002200"
       "0"
       "71450000"},
      {"tunnel/ipip-udp: ECT(1)", ipip, true,
       "450100397d1600003f04e69e0a0002010a00020b45010025000100003f1165610a0001020a000164040000350011ea9b616263646566676"
       "8"
       "69"},
      {"tunnel/ipip-udp: ECT(0) and DF", ipip, true,
       "45020039000040003f0423b40a0002010a00020b45020025000140003f1125600a0001020a000164040000350011ea9b616263646566676"
       "8"
       "69"},
      {"tunnel/ipip-udp: a congestion mark", ipip, true,
       "450200397d1a00003f04e6990a0002010a00020b45030025000100003f11655f0a0001020a000164040000350011ea9b616263646566676"
       "8"
       "69"},
      {"tunnel/gre", gre, true,
       "4528004000004000102f525c0a0002010a00020b000008004528002812674000100641dc0a0001020a00016404000050000003e80000000"
       "0"
       "5002200071450000"},
      {"tunnel/gre-csum", gre_checksum, true,
       "4528004400004000102f52580a0002010a00020b800008008e7f00004528002812674000100641dc0a0001020a00016404000050000003e"
       "8"
       "000000005002200071450000"},
      {"tunnel/gre-csum: an odd length", gre_checksum, true,
       "45000069609100003f2f02ca0a0002010a00020b800008008ea000004600004d000100003f06d0400a0001020a000164940400000400005"
       "0"
       "000003e900000001501020005c7000006162636465666768696a6b6c6d6e6f70717273747576776162636465666768696a"},
      {"tunnel/gue", gue_checksum, true,
       "4528004800004000101152720a0002010a00020bee0017c00034f835000400004528002812674000100641dc0a0001020a0001640400005"
       "0"
       "000003e8000000005002200071450000"},
      {"tunnel/gue: an odd length", gue_checksum, true,
       "4500006d233300003f1140420a0002010a00020bee0017c00059f80c000400004600004d000100003f06d0400a0001020a0001649404000"
       "0"
       "04000050000003e900000001501020005c7000006162636465666768696a6b6c6d6e6f70717273747576776162636465666768696a"},
      {"tunnel/gue-nosum", gue, true,
       "4528004800004000101152720a0002010a00020bee0017c000340000000400004528002812674000100641dc0a0001020a0001640400005"
       "0"
       "000003e8000000005002200071450000"},
      {"ipv6/tunnel-ipip: traffic class, hop limit; no flow label", ipip, true,
       "62a00000003c2910fd000002000000000000000000000001fd00000200000000000000000000001162b1234500140610fd0000010000000"
       "0"
       "0000000000000002fd00000100000000000000000000010004000050000003e800000000500220008ca50000"},
      {"ipv6/tunnel-gre", gre, true,
       "62a0000000402f10fd000002000000000000000000000001fd000002000000000000000000000011000086dd62b1234500140610fd00000"
       "1"
       "000000000000000000000002fd00000100000000000000000000010004000050000003e800000000500220008ca50000"},
      {"ipv6/tunnel-gre-csum", gre_checksum, true,
       "62a0000000442f10fd000002000000000000000000000001fd000002000000000000000000000011800086dd6d21000062b123450014061"
       "0"
       "fd000001000000000000000000000002fd00000100000000000000000000010004000050000003e800000000500220008ca50000"},
      {"ipv6/tunnel-gue", gue, true,
       "62a0000000481110fd000002000000000000000000000001fd000002000000000000000000000011d93517c0004800000029000062b1234"
       "5"
       "00140610fd000001000000000000000000000002fd00000100000000000000000000010004000050000003e800000000500220008ca5000"
       "0"},
      {"ipv6/tunnel-gue-csum", gue_checksum, true,
       "62a0000000481110fd000002000000000000000000000001fd000002000000000000000000000011d93517c0004888270029000062b1234"
       "5"
       "00140610fd000001000000000000000000000002fd00000100000000000000000000010004000050000003e800000000500220008ca5000"
       "0"},
      {"mixed-families/4-in-6-ipip: a congestion mark", ipip, true,
       "62a0000000280410fd000002000000000000000000000001fd000002000000000000000000000011452b0028000140001006543f0a00010"
       "2"
       "0a00016404000050000003e8000000005002200071450000"},
      {"mixed-families/4-in-6-gre", gre, true,
       "62a00000002c2f10fd000002000000000000000000000001fd00000200000000000000000000001100000800452b0028000140001006543"
       "f"
       "0a0001020a00016404000050000003e8000000005002200071450000"},
      {"mixed-families/4-in-6-gue", gue, true,
       "62a0000000341110fd000002000000000000000000000001fd000002000000000000000000000011ee0017c00034000000040000452b002"
       "8"
       "000140001006543f0a0001020a00016404000050000003e8000000005002200071450000"},
      {"mixed-families/6-in-4-ipip: no DF", ipip, true,
       "452a00504bce0000102946820a0002010a00020b62b1234500140610fd000001000000000000000000000002fd000001000000000000000"
       "0"
       "0000010004000050000003e800000000500220008ca50000"},
      {"mixed-families/6-in-4-gre", gre, true,
       "452a005414b10000102f7d950a0002010a00020b000086dd62b1234500140610fd000001000000000000000000000002fd0000010000000"
       "0"
       "000000000000010004000050000003e800000000500220008ca50000"},
      {"mixed-families/6-in-4-gue", gue, true,
       "452a005c6a130000101128490a0002010a00020bd93517c0004800000029000062b1234500140610fd00000100000000000000000000000"
       "2"
       "fd00000100000000000000000000010004000050000003e800000000500220008ca50000"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.what);
    const Buffer expected = hex(c.packet);
    const wire::Family family = family_of(expected);
    const Buffer inner(expected.begin() + director::tunnel_overhead(c.tunnel, family, false), expected.end());
    Buffer packet = wrapped(inner, c.tunnel, outer_header_of(expected, c.pmtu_disc));
    if (c.tunnel.encapsulation == Encapsulation::gue) set_source_port(packet, source_port(expected));
    CHECK(digits(packet) == digits(expected));
  }
}

TEST_CASE("every tunnel carries both families over both families") {
  const struct {
    const char* what;
    Buffer inner;
    uint16_t ethertype;
    uint8_t protocol;
  } inners[] = {
      {"IPv4", ipv4({.ttl = 7, .tos = 0xb8, .dont_fragment = true}).tcp().payload("abc").build(), wire::ethertype::ipv4,
       wire::protocol::ipip},
      {"IPv6", ipv6({.hop_limit = 7, .traffic_class = 0xb8, .flow_label = 5}).udp().payload("abc").build(),
       wire::ethertype::ipv6, wire::protocol::ipv6},
  };
  const struct {
    const char* what;
    Tunnel tunnel;
    uint32_t overhead;  // without the IP header
  } tunnels[] = {{"ipip", ipip, 0},
                 {"gre", gre, 4},
                 {"gre with checksum", gre_checksum, 8},
                 {"gue", gue, 12},
                 {"gue with checksum", gue_checksum, 12},
                 {"gue, remote checksum, complete inside", gue_remote, 12}};
  for (const auto& inner : inners) {
    for (const auto& t : tunnels) {
      for (const director::OuterHeader& outer : {to_v4, to_v6}) {
        CAPTURE(inner.what);
        CAPTURE(t.what);
        CAPTURE(wire::to_string(outer.destination));
        const bool over_v4 = outer.destination.family == wire::Family::ipv4;
        CHECK(director::tunnel_overhead(t.tunnel, outer.destination.family, false) == t.overhead + (over_v4 ? 20 : 40));
        const Buffer packet = wrapped(inner.inner, t.tunnel, outer);
        const bool is_atomic = over_v4 && family_of(inner.inner) == wire::Family::ipv4;

        PacketBuilder expected;
        if (over_v4) {
          expected.ipv4({.source = "10.0.2.1",
                         .destination = "10.0.2.11",
                         .ttl = 7,
                         .tos = 0xb8,
                         .id = static_cast<uint16_t>(is_atomic ? 0 : 4711),
                         .dont_fragment = is_atomic,
                         .protocol = t.tunnel.encapsulation == Encapsulation::ipip
                                         ? std::optional<uint8_t>(inner.protocol)
                                         : std::nullopt});
        } else {
          expected.ipv6({.source = "fd00:2::1",
                         .destination = "fd00:2::11",
                         .hop_limit = 7,
                         .traffic_class = 0xb8,
                         .next_header = t.tunnel.encapsulation == Encapsulation::ipip
                                            ? std::optional<uint8_t>(inner.protocol)
                                            : std::nullopt});
        }
        if (t.tunnel.encapsulation == Encapsulation::gre) {
          expected.gre({.checksum = t.tunnel.checksum, .type = inner.ethertype});
        } else if (t.tunnel.encapsulation == Encapsulation::gue) {
          const bool has_checksum = t.tunnel.checksum || t.tunnel.remote_checksum;
          expected.udp({.source_port = source_port(packet),
                        .destination_port = gue_port,
                        .checksum = has_checksum ? std::nullopt : std::optional<uint16_t>(0)});
          Buffer header(wire::GueView::minimum_header_length);
          header[1] = inner.protocol;
          expected.payload(header);
        }
        CHECK(digits(packet) == digits(expected.payload(inner.inner).build()));
      }
    }
  }
}

TEST_CASE("a congestion mark is not copied to the outer header, every other class is") {
  for (unsigned tos = 0; tos < 256; tos++) {
    CAPTURE(tos);
    const uint8_t expected = static_cast<uint8_t>((tos & 3) == 3 ? (tos & ~3u) | 2 : tos);
    const auto inner4 = ipv4({.tos = static_cast<uint8_t>(tos)}).udp().build();
    const auto inner6 = ipv6({.traffic_class = static_cast<uint8_t>(tos), .flow_label = 0xfffff}).udp().build();
    for (const Buffer& inner : {inner4, inner6}) {
      CHECK(int{wire::Ipv4View(wrapped(inner, ipip, to_v4)).tos()} == int{expected});
      CHECK(int{wire::Ipv6View(wrapped(inner, ipip, to_v6)).traffic_class()} == int{expected});
    }
  }
}

TEST_CASE("DF and identification of the outer header are right") {
  const struct {
    const char* what;
    Buffer inner;
    bool pmtu_disc;
    uint16_t flags;
    uint16_t id;
  } cases[] = {
      {"DF is copied; an atomic packet needs no id", ipv4({.dont_fragment = true}).udp().build(), true, 0x4000, 0},
      {"without DF", ipv4({.id = 9}).udp().build(), true, 0, 4711},
      {"DF, path-MTU discovery off", ipv4({.dont_fragment = true}).udp().build(), false, 0, 4711},
      {"IPv6 has no DF to copy", ipv6().udp().build(), true, 0, 4711},
      {"a fragment's offset and more-flag stay inside",
       ipv4({.offset = 800, .more = true, .protocol = wire::protocol::udp}).payload(pattern(8)).build(), true, 0, 4711},
  };
  for (const auto& c : cases) {
    CAPTURE(c.what);
    director::OuterHeader outer = to_v4;
    outer.copy_dont_fragment = c.pmtu_disc;
    const Buffer packet = wrapped(c.inner, ipip, outer);
    const wire::Ipv4View ip(packet);
    CHECK(ip.flags_and_offset() == c.flags);
    CHECK(ip.id() == c.id);
    CHECK(ip.is_checksum_ok());
  }
}

// Does what Linux does as the receiver (remote checksum offload in net/core): sums from `start` to the end, including
// the pseudo-header's sum in the field, and stores the result at `offset`.
Buffer completed_by_receiver(wire::Bytes payload, const wire::RemoteChecksum& remote) {
  Buffer packet(payload.begin(), payload.end());
  const uint16_t checksum = wire::internet_checksum(wire::Bytes(packet).subspan(remote.start));
  wire::store_raw16(&packet[remote.offset], checksum);
  return packet;
}

TEST_CASE("GUE leaves a partial checksum to the tunnel's other end") {
  const auto tcp = [](Sum sum) {
    return TcpLayer{.flags = ACK, .options = hex("0101080a0000006400000065"), .sum = sum};
  };
  const struct {
    const char* what;
    Buffer partial, complete;
    uint16_t start, offset;
  } cases[] = {
      {"TCP over IPv4", ipv4().tcp(tcp(Sum::partial)).payload(pattern(33)).build(),
       ipv4().tcp(tcp(Sum::right)).payload(pattern(33)).build(), 20, wire::TcpView::checksum_offset},
      {"TCP behind IPv4 options", ipv4({.options = hex("94040000")}).tcp(tcp(Sum::partial)).build(),
       ipv4({.options = hex("94040000")}).tcp(tcp(Sum::right)).build(), 24, wire::TcpView::checksum_offset},
      {"UDP over IPv4", ipv4().udp({.sum = Sum::partial}).payload("ab").build(), ipv4().udp().payload("ab").build(), 20,
       wire::UdpView::checksum_offset},
      {"TCP over IPv6", ipv6().tcp(tcp(Sum::partial)).payload(pattern(100)).build(),
       ipv6().tcp(tcp(Sum::right)).payload(pattern(100)).build(), 40, wire::TcpView::checksum_offset},
      {"UDP over IPv6", ipv6().udp({.sum = Sum::partial}).payload("ab").build(), ipv6().udp().payload("ab").build(), 40,
       wire::UdpView::checksum_offset},
  };
  for (const auto& c : cases) {
    for (const director::OuterHeader& outer : {to_v4, to_v6}) {
      CAPTURE(c.what);
      CAPTURE(wire::to_string(outer.destination));
      const Buffer packet = wrapped(c.partial, gue_remote, outer, true, c.start, c.offset);
      const size_t ip = ip_length(packet);
      CHECK(director::tunnel_overhead(gue_remote, outer.destination.family, true) == ip + 8 + 12);

      const auto udp = wire::UdpView::parse(wire::Bytes(packet).subspan(ip));
      REQUIRE(udp);
      const wire::Sum pseudo =
          ip == 20 ? wire::pseudo_header_sum(outer.source.v4(), outer.destination.v4(), 17, udp->length())
                   : wire::pseudo_header_sum(outer.source.v6(), outer.destination.v6(), 17, udp->length());
      CHECK(wire::fold(wire::sum_bytes(udp->bytes(), pseudo)) == 0xffff);

      const auto gue_header = wire::GueView::parse(udp->payload());
      REQUIRE(gue_header);
      REQUIRE(gue_header->remote_checksum());
      CHECK(*gue_header->remote_checksum() == wire::RemoteChecksum{c.start, static_cast<uint16_t>(c.start + c.offset)});
      CHECK(digits(gue_header->payload()) == digits(c.partial));
      CHECK(digits(completed_by_receiver(gue_header->payload(), *gue_header->remote_checksum())) == digits(c.complete));
    }
  }
}

TEST_CASE("GUE's source port depends on the flow and lies in the range of dynamic ports") {
  const auto port_of = [](const Buffer& inner) { return source_port(wrapped(inner, gue, to_v4)); };
  const auto flow = [&](uint16_t port, size_t length) {
    return ipv4().tcp({.source_port = port, .flags = ACK}).payload(pattern(length)).build();
  };
  CHECK(port_of(flow(1024, 0)) == port_of(flow(1024, 900)));
  CHECK(port_of(ipv4().icmp({.rest = 1}).build()) == port_of(ipv4().icmp({.rest = 2}).payload("ab").build()));

  const Buffer first = ipv4({.id = 7, .more = true}).udp().payload(pattern(16)).build();
  const Buffer later = ipv4({.id = 7, .offset = 24, .protocol = wire::protocol::udp}).payload(pattern(16)).build();
  CHECK_MESSAGE(port_of(first) == port_of(later), "fragments of a datagram stay together");

  std::set<uint16_t> seen4, seen6;
  for (uint16_t i = 0; i < 512; i++) {
    const uint16_t client = static_cast<uint16_t>(1024 + i);
    seen4.insert(port_of(flow(client, 0)));
    seen6.insert(port_of(ipv6().udp({.source_port = client}).build()));
  }
  for (const auto& seen : {seen4, seen6}) {
    CHECK(seen.size() >= 480);  // 512 draws from 28,232 ports collide about five times
    CHECK(*seen.begin() >= 32768);
    CHECK(*seen.rbegin() <= 60999);
    CHECK_MESSAGE(*seen.rbegin() - *seen.begin() > 20000, "ports are spread over the whole range");
  }
}

TEST_CASE("a packet too long for the outer length field is refused and unchanged") {
  const uint32_t room = director::tunnel_overhead(gue, wire::Family::ipv6, false);
  const struct {
    const char* what;
    size_t length;
    bool fits;
  } cases[] = {{"the longest that fits", 65535 - room, true},
               {"one more byte", 65535 - room + 1, false},
               {"the longest IPv4 packet", 65535, false}};
  for (const auto& c : cases) {
    CAPTURE(c.what);
    const Buffer inner = ipv4().udp().payload(pattern(c.length - 28)).build();
    Placed placed(inner, room);
    CHECK(encapsulate(placed.packet, gue, to_v6, false, 0, 0) == c.fits);
    CHECK(placed.packet.length == c.length + (c.fits ? room : 0));
    if (!c.fits) CHECK(std::equal(inner.begin(), inner.end(), placed.packet.data));
  }
}
