// SPDX-License-Identifier: Apache-2.0
#include "wire/packet.h"

#include <doctest/doctest.h>

#include "wire/samples.h"

using namespace sluice;
using namespace sluice::test;
using wire::Fragment;
using wire::Malformed;
using wire::Packet;

namespace {

// What a test expects of a packet. All other fields must have their initial values.
struct Expected {
  const char* what;
  Buffer frame;
  Packet packet;
};

Packet fields(auto... set) {
  Packet packet;
  (set(packet), ...);
  return packet;
}
auto ipv4_at(uint16_t l3, uint32_t length, uint8_t protocol) {
  return [=](Packet& p) {
    p.l3 = l3, p.l3_length = length, p.l4 = p.payload = static_cast<uint16_t>(l3 + 20), p.ethertype = 0x0800;
    p.ip_version = 4, p.protocol = protocol;
  };
}
auto ipv6_at(uint16_t l3, uint32_t length, uint8_t protocol, uint16_t extensions = 0) {
  return [=](Packet& p) {
    p.l3 = l3, p.l3_length = length, p.l4 = p.payload = static_cast<uint16_t>(l3 + 40 + extensions);
    p.ethertype = 0x86dd, p.ip_version = 6, p.protocol = protocol;
  };
}
auto ports(uint16_t source, uint16_t destination) {
  return [=](Packet& p) { p.source_port = source, p.destination_port = destination, p.has_ports = true; };
}
auto header(uint16_t length) {
  return [=](Packet& p) { p.payload = static_cast<uint16_t>(p.l4 + length); };
}
auto flags(uint8_t value) {
  return [=](Packet& p) { p.tcp_flags = value; };
}
auto vlans(std::vector<uint16_t> tcis) {
  return [=](Packet& p) {
    for (const uint16_t tci : tcis) p.vlan_tci[p.vlan_count++] = tci;
  };
}
auto fragment(Fragment kind, uint16_t offset, bool more, uint32_t id, uint16_t at = 0) {
  return [=](Packet& p) {
    p.fragment = kind, p.fragment_offset = offset, p.more_fragments = more, p.fragment_id = id, p.fragment_header = at;
  };
}
auto wrong(Malformed reason) {
  return [=](Packet& p) { p.malformed = reason; };
}
auto type(uint16_t ethertype) {
  return [=](Packet& p) { p.ethertype = ethertype; };
}

void check_equal(const Packet& got, const Packet& want) {
  CHECK(wire::name(got.malformed) == wire::name(want.malformed));
  CHECK(got.l3_length == want.l3_length);
  CHECK(got.fragment_id == want.fragment_id);
  CHECK(got.l3 == want.l3);
  CHECK(got.l4 == want.l4);
  CHECK(got.payload == want.payload);
  CHECK(got.ethertype == want.ethertype);
  CHECK(got.source_port == want.source_port);
  CHECK(got.destination_port == want.destination_port);
  CHECK(got.fragment_offset == want.fragment_offset);
  CHECK(got.fragment_header == want.fragment_header);
  CHECK(got.vlan_tci == want.vlan_tci);
  CHECK(int{got.vlan_count} == int{want.vlan_count});
  CHECK(int{got.ip_version} == int{want.ip_version});
  CHECK(int{got.protocol} == int{want.protocol});
  CHECK(int{got.tcp_flags} == int{want.tcp_flags});
  CHECK(static_cast<int>(got.fragment) == static_cast<int>(want.fragment));
  CHECK(got.more_fragments == want.more_fragments);
  CHECK(got.has_ports == want.has_ports);
}

void check_all(std::span<const Expected> cases) {
  for (const Expected& c : cases) {
    CAPTURE(c.what);
    Packet packet;
    packet.protocol = 99;  // an old value must be overwritten
    CHECK(wire::dissect(c.frame, packet) == c.packet.malformed);
    check_equal(packet, c.packet);
  }
}

constexpr uint8_t TCP = wire::protocol::tcp, UDP = wire::protocol::udp, ICMP = wire::protocol::icmp;

}  // namespace

TEST_CASE("well-formed frames are dissected down to their payload") {
  const Expected cases[] = {
      {"TCP over IPv4, the fast path", ethernet().ipv4().tcp({.options = mss_option}).payload("hi").build(),
       fields(ipv4_at(14, 46, TCP), ports(8080, 80), header(24), flags(SYN))},
      {"UDP over IPv4, the fast path", ethernet().ipv4().udp().payload("hi").build(),
       fields(ipv4_at(14, 30, UDP), ports(5000, 5001), header(8))},
      {"padding of the frame is no part of the packet", ethernet().ipv4().udp().build_padded(),
       fields(ipv4_at(14, 28, UDP), ports(5000, 5001), header(8))},
      {"padding of the datagram is allowed, as UDP's length says",
       ethernet().ipv4().udp({.length = 8}).payload("padding").build(),
       fields(ipv4_at(14, 35, UDP), ports(5000, 5001), header(8))},
      {"IPv4 options", ethernet().ipv4({.options = hex("01010100")}).udp().build(),
       fields(
           ipv4_at(14, 32, UDP), [](Packet& p) { p.l4 += 4; }, ports(5000, 5001), header(8))},
      {"one VLAN tag", ethernet().vlan(5, {.priority = 1}).ipv4().tcp().build(),
       fields(vlans({0x2005}), ipv4_at(18, 40, TCP), ports(8080, 80), header(20), flags(SYN))},
      {"two VLAN tags", ethernet().vlan(7, {.tpid = 0x88a8}).vlan(5).ipv6().udp().build(),
       fields(vlans({7, 5}), ipv6_at(22, 48, UDP), ports(5000, 5001), header(8))},
      {"three VLAN tags: more than anybody stacks", ethernet().vlan(1).vlan(2).vlan(3).ipv4().udp().build(),
       fields(vlans({1, 2}), type(0x8100), [](Packet& p) { p.l3 = 22; })},
      {"ICMP", ethernet().ipv4().icmp().build(), fields(ipv4_at(14, 28, ICMP), header(8))},
      {"SCTP", ethernet().ipv4().sctp().chunk().build(),
       fields(ipv4_at(14, 36, wire::protocol::sctp), ports(5000, 5001), header(12))},
      {"a tunnel", ethernet().ipv4().ipv4().tcp().build(), fields(ipv4_at(14, 60, 4))},
      {"TCP over IPv6", ethernet().ipv6().tcp().build(),
       fields(ipv6_at(14, 60, TCP), ports(8080, 80), header(20), flags(SYN))},
      {"ICMPv6", ethernet().ipv6().icmpv6().build(), fields(ipv6_at(14, 48, 58), header(8))},
      {"extension headers of all kinds",
       ethernet().ipv6().hop_by_hop().destination_options().routing().ah().tcp({.flags = ACK}).build(),
       fields(ipv6_at(14, 40 + 8 + 8 + 8 + 24 + 20, TCP, 48), ports(8080, 80), header(20), flags(ACK))},
      {"no next header", ethernet().ipv6().build(), fields(ipv6_at(14, 40, 59))},
      {"an encrypted payload is opaque", ethernet().ipv6({.next_header = 50}).payload("12345678").build(),
       fields(ipv6_at(14, 48, 50))},
      {"ARP is no IP and not malformed", ethernet().arp().build(), fields(type(0x0806), [](Packet& p) { p.l3 = 14; })},
      {"an 802.3 length", ethernet({.type = 100}).payload(zeros(100)).build(),
       fields(type(100), [](Packet& p) { p.l3 = 14; })},
  };
  check_all(cases);
}

TEST_CASE("fragments have their offset, and only the first one has ports") {
  const Expected cases[] = {
      {"the first of IPv4", ethernet().ipv4({.id = 7, .more = true}).udp({.length = 2000}).payload(zeros(40)).build(),
       fields(ipv4_at(14, 68, UDP), ports(5000, 5001), header(8), fragment(Fragment::first, 0, true, 7))},
      {"a middle one of IPv4",
       ethernet().ipv4({.id = 7, .offset = 1480, .more = true, .protocol = TCP}).payload(zeros(8)).build(),
       fields(ipv4_at(14, 28, TCP), fragment(Fragment::later, 1480, true, 7))},
      {"the last of IPv4, of one byte",
       ethernet().ipv4({.id = 7, .offset = 65512, .protocol = TCP}).payload("x").build(),
       fields(ipv4_at(14, 21, TCP), fragment(Fragment::later, 65512, false, 7))},
      {"the first of IPv6", ethernet().ipv6().fragment({.more = true, .id = 9}).tcp().build(),
       fields(ipv6_at(14, 68, TCP, 8), ports(8080, 80), header(20), flags(SYN),
              fragment(Fragment::first, 0, true, 9, 54))},
      {"a later one of IPv6, whose next header is not to be followed",
       ethernet().ipv6().fragment({.offset = 64, .id = 9, .next_header = 0}).payload(zeros(8)).build(),
       fields(ipv6_at(14, 56, 0, 8), fragment(Fragment::later, 64, false, 9, 54))},
      {"the only one of its datagram (RFC 6946)", ethernet().ipv6().fragment({.id = 9}).udp().build(),
       fields(ipv6_at(14, 56, UDP, 8), ports(5000, 5001), header(8), fragment(Fragment::first, 0, false, 9, 54))},
  };
  check_all(cases);
}

TEST_CASE("malformed frames have a reason, and the fields found before the fault") {
  const auto empty = [](Malformed reason) { return fields(wrong(reason)); };
  const auto at_l3 = [](uint16_t ethertype, Malformed reason) {
    return fields(type(ethertype), wrong(reason), [](Packet& p) { p.l3 = 14; });
  };
  const Expected cases[] = {
      {"nothing", {}, empty(Malformed::truncated)},
      {"half an Ethernet header", zeros(13), empty(Malformed::truncated)},
      {"no IPv4 header", ethernet({.type = 0x0800}).build(), at_l3(0x0800, Malformed::truncated)},
      {"19 bytes of IPv4", first_bytes(ethernet().ipv4().tcp().build(), 33), at_l3(0x0800, Malformed::truncated)},
      {"IPv4 with version 5", ethernet().ipv4({.version = 5}).tcp().build(), at_l3(0x0800, Malformed::bad_version)},
      {"IPv4 with a header of four words", ethernet().ipv4({.header_words = 4}).tcp().build(),
       at_l3(0x0800, Malformed::header_too_short)},
      {"IPv4 with a header past the end", ethernet().ipv4({.header_words = 15}).udp().build(),
       at_l3(0x0800, Malformed::header_beyond_packet)},
      {"an IPv4 length below its header", ethernet().ipv4({.total_length = 19}).tcp().build(),
       at_l3(0x0800, Malformed::length_lies)},
      {"an IPv4 length past the end", ethernet().ipv4({.total_length = 41}).tcp().build(),
       at_l3(0x0800, Malformed::length_lies)},
      {"an IPv4 option past the header", ethernet().ipv4({.options = hex("01010105")}).udp().build(),
       fields(
           ipv4_at(14, 32, UDP), [](Packet& p) { p.l4 = p.payload = 38; }, wrong(Malformed::bad_option))},
      {"a route pointer before the first slot", ethernet().ipv4({.options = hex("07070300000000 00")}).udp().build(),
       fields(
           ipv4_at(14, 36, UDP), [](Packet& p) { p.l4 = p.payload = 42; }, wrong(Malformed::bad_option))},
      {"19 bytes of TCP", ethernet().ipv4({.protocol = TCP}).payload(first_bytes(hex("1f900050"), 19)).build(),
       fields(ipv4_at(14, 39, TCP), ports(8080, 80), wrong(Malformed::truncated))},
      {"three bytes of TCP have no ports", ethernet().ipv4({.protocol = TCP}).payload("abc").build(),
       fields(ipv4_at(14, 23, TCP), wrong(Malformed::truncated))},
      {"a TCP header of four words", ethernet().ipv4().tcp({.header_words = 4}).build(),
       fields(ipv4_at(14, 40, TCP), ports(8080, 80), wrong(Malformed::header_too_short))},
      {"a TCP header past the packet, though within the frame's padding",
       ethernet().ipv4().tcp({.header_words = 6}).build_padded(),
       fields(ipv4_at(14, 40, TCP), ports(8080, 80), wrong(Malformed::header_beyond_packet))},
      {"a UDP length below eight", ethernet().ipv4().udp({.length = 7}).build(),
       fields(ipv4_at(14, 28, UDP), ports(5000, 5001), header(8), wrong(Malformed::length_lies))},
      {"a UDP length past the packet", ethernet().ipv4().udp({.length = 9}).build_padded(),
       fields(ipv4_at(14, 28, UDP), ports(5000, 5001), header(8), wrong(Malformed::length_lies))},
      {"seven bytes of ICMP", ethernet().ipv4({.protocol = ICMP}).payload("1234567").build(),
       fields(ipv4_at(14, 27, ICMP), wrong(Malformed::truncated))},
      {"eleven bytes of SCTP", ethernet().ipv4({.protocol = 132}).payload(zeros(11)).build(),
       fields(ipv4_at(14, 31, 132), ports(0, 0), wrong(Malformed::truncated))},
      {"39 bytes of IPv6", first_bytes(ethernet().ipv6().tcp().build(), 53), at_l3(0x86dd, Malformed::truncated)},
      {"IPv6 with version 4", ethernet().ipv6({.version = 4}).tcp().build(), at_l3(0x86dd, Malformed::bad_version)},
      {"an IPv6 length past the end", ethernet().ipv6({.payload_length = 21}).tcp().build(),
       at_l3(0x86dd, Malformed::length_lies)},
      {"a jumbogram", ethernet().ipv6({.payload_length = 0}).hop_by_hop(hex("c20400010000")).tcp().build(),
       at_l3(0x86dd, Malformed::jumbogram)},
      {"seven bytes of an extension header", ethernet().ipv6({.next_header = 60}).payload(zeros(7)).build(),
       fields(ipv6_at(14, 47, 60), wrong(Malformed::truncated))},
      {"an extension header past the packet",
       ethernet().ipv6({.next_header = 60}).payload(hex("0601000000000000")).build(),
       fields(ipv6_at(14, 48, 60), wrong(Malformed::header_beyond_packet))},
      {"an authentication header shorter than any",
       ethernet().ipv6({.next_header = 51}).payload(hex("0600000000000000")).build(),
       fields(ipv6_at(14, 48, 51), wrong(Malformed::header_too_short))},
      {"hop-by-hop options in second place", ethernet().ipv6().destination_options().hop_by_hop().tcp().build(),
       fields(ipv6_at(14, 76, 0, 8), wrong(Malformed::bad_format))},
      {"a hop-by-hop option past its header", ethernet().ipv6().hop_by_hop(hex("05050000 0000")).tcp().build(),
       fields(ipv6_at(14, 68, 0), wrong(Malformed::bad_option))},
  };
  check_all(cases);
}

TEST_CASE("impossible fragments are malformed") {
  const Expected cases[] = {
      {"a first fragment with half a TCP header",
       ethernet().ipv4({.more = true, .protocol = TCP}).payload(zeros(16)).build(),
       fields(ipv4_at(14, 36, TCP), ports(0, 0), fragment(Fragment::first, 0, true, 0),
              wrong(Malformed::tiny_fragment))},
      {"a first fragment that cuts TCP's options", ethernet().ipv4({.more = true}).tcp({.header_words = 6}).build(),
       fields(ipv4_at(14, 40, TCP), ports(8080, 80), fragment(Fragment::first, 0, true, 0),
              wrong(Malformed::tiny_fragment))},
      {"a fragment that ends past 65,535 bytes",
       ethernet().ipv4({.offset = 65512, .protocol = ICMP}).payload(zeros(24)).build(),
       fields(ipv4_at(14, 44, ICMP), fragment(Fragment::later, 65512, false, 0), wrong(Malformed::fragment_overflow))},
      {"a first fragment of IPv6 without the header chain (RFC 7112)",
       ethernet().ipv6().fragment({.more = true, .next_header = 60}).build(),
       fields(ipv6_at(14, 48, 60, 8), fragment(Fragment::first, 0, true, 1, 54), wrong(Malformed::tiny_fragment))},
      {"two fragment headers", ethernet().ipv6().fragment().fragment().udp().build(),
       fields(ipv6_at(14, 64, 44, 8), fragment(Fragment::first, 0, false, 1, 54), wrong(Malformed::bad_format))},
  };
  check_all(cases);
}

TEST_CASE("the walk over extension headers is bounded") {
  PacketBuilder eight = ethernet().ipv6(), nine = ethernet().ipv6();
  for (int i = 0; i < 8; i++) eight.destination_options();
  for (int i = 0; i < 9; i++) nine.destination_options();
  Packet packet;
  CHECK(wire::dissect(eight.tcp().build(), packet) == Malformed::ok);
  CHECK(packet.destination_port == 80);
  CHECK(wire::dissect(nine.tcp().build(), packet) == Malformed::too_many_headers);
}

TEST_CASE("the fast and the general dissection agree") {
  // A VLAN tag forces the general dissection. Apart from the tag, the results must be the same.
  for (const auto& [plain, tagged] : {
           std::pair{ethernet().ipv4().tcp({.options = syn_options}).payload("x").build(),
                     ethernet().vlan(5).ipv4().tcp({.options = syn_options}).payload("x").build()},
           std::pair{ethernet().ipv4().udp().payload("x").build(),
                     ethernet().vlan(5).ipv4().udp().payload("x").build()},
           std::pair{ethernet().ipv6().tcp({.options = syn_options}).payload("x").build(),
                     ethernet().vlan(5).ipv6().tcp({.options = syn_options}).payload("x").build()},
           std::pair{ethernet().ipv6().udp().payload("x").build(),
                     ethernet().vlan(5).ipv6().udp().payload("x").build()},
       }) {
    Packet fast, general;
    wire::dissect(plain, fast);
    wire::dissect(tagged, general);
    fast.l3 += 4, fast.l4 += 4, fast.payload += 4, fast.vlan_count = 1, fast.vlan_tci[0] = 5;
    check_equal(general, fast);
  }
}

TEST_CASE("a packet that ends within its TCP header is truncated in every dissection") {
  for (size_t length = 0; length < 20; length++) {
    CAPTURE(length);
    const Buffer start(length, 0x50);
    for (const Buffer& frame : {ethernet().ipv4({.protocol = 6}).payload(start).build(),
                                ethernet().ipv6({.next_header = 6}).payload(start).build()}) {
      Packet packet;
      CHECK(wire::dissect(frame, packet) == Malformed::truncated);
    }
  }
}

TEST_CASE("a raw IP packet is dissected by its IP version") {
  Packet packet;
  CHECK(wire::dissect_ip(ipv4().tcp().build(), packet) == Malformed::ok);
  CHECK(packet.l3 == 0);
  CHECK(packet.l4 == 20);
  CHECK(packet.ethertype == 0x0800);
  CHECK(packet.end() == 40);
  CHECK(wire::dissect_ip(ipv6().udp().build(), packet) == Malformed::ok);
  CHECK(packet.l4 == 40);
  CHECK(packet.ethertype == 0x86dd);
  CHECK(wire::dissect_ip(hex("50"), packet) == Malformed::bad_version);
  CHECK(wire::dissect_ip({}, packet) == Malformed::truncated);
}

TEST_CASE("a quoted packet may end after eight bytes of its transport header") {
  Packet packet;
  const Buffer quoted = first_bytes(ipv4().tcp({.flags = ACK}).payload(zeros(1000)).build(), 28);
  CHECK(wire::dissect_ip(quoted, packet) == Malformed::length_lies);
  CHECK(wire::dissect_quoted(quoted, packet) == Malformed::ok);
  CHECK(packet.has_ports);
  CHECK(packet.source_port == 8080);
  CHECK(packet.destination_port == 80);
  CHECK(packet.l3_length == 1040);
  CHECK(int{packet.tcp_flags} == 0);

  const Buffer longer = first_bytes(ipv4().tcp({.flags = ACK}).payload(zeros(1000)).build(), 40);
  CHECK(wire::dissect_quoted(longer, packet) == Malformed::ok);
  CHECK(int{packet.tcp_flags} == int{ACK});

  CHECK(wire::dissect_quoted(first_bytes(quoted, 23), packet) == Malformed::truncated);
  CHECK(!packet.has_ports);
  CHECK(wire::dissect_quoted(first_bytes(ipv6().udp().payload(zeros(2000)).build(), 48), packet) == Malformed::ok);
  CHECK(packet.destination_port == 5001);

  const Buffer later = ipv4({.offset = 800, .protocol = TCP}).payload(zeros(8)).build();
  CHECK(wire::dissect_quoted(later, packet) == Malformed::ok);
  CHECK(!packet.has_ports);
}

TEST_CASE("every sample is well-formed; cut at any length it is malformed or dissected alike") {
  for (const Sample& sample : samples()) {
    CAPTURE(sample.name);
    Packet whole;
    REQUIRE(wire::dissect(sample.frame, whole) == Malformed::ok);
    for (size_t length = 0; length < sample.frame.size(); length++) {
      const Buffer cut(sample.frame.begin(), sample.frame.begin() + static_cast<ptrdiff_t>(length));
      Packet packet;
      const Malformed reason = wire::dissect(cut, packet);
      CHECK(reason == packet.malformed);
      if (whole.ip_version == 0) continue;
      // Only padding may be missing.
      CHECK((reason == Malformed::ok) == (length >= whole.end()));
    }
  }
}

TEST_CASE("the ports of quoted samples that are cut at any length never lie past the end") {
  for (const Sample& sample : samples()) {
    CAPTURE(sample.name);
    Packet whole;
    wire::dissect(sample.frame, whole);
    if (whole.ip_version == 0) continue;
    for (size_t length = 0; whole.l3 + length <= sample.frame.size(); length++) {
      const auto start = sample.frame.begin() + whole.l3;
      const Buffer cut(start, start + static_cast<ptrdiff_t>(length));
      Packet packet;
      wire::dissect_quoted(cut, packet);
      if (packet.has_ports) CHECK(packet.l4 + 4u <= length);
    }
  }
}

TEST_CASE("the IPv4 header checksum is checked separately") {
  Buffer frame = ethernet().vlan(5).ipv4({.options = hex("01010100")}).tcp().build();
  Packet packet;
  REQUIRE(wire::dissect(frame, packet) == Malformed::ok);
  CHECK(wire::ipv4_header_checksum_ok(frame, packet));
  frame[packet.l3 + 8]--;
  CHECK(!wire::ipv4_header_checksum_ok(frame, packet));
  wire::MutableIpv4View ip(wire::MutableBytes(frame).subspan(packet.l3));
  ip.set_ttl(64);
  ip.decrement_ttl();
  CHECK(int{ip.ttl()} == 63);
  CHECK(wire::ipv4_header_checksum_ok(frame, packet));
}

TEST_CASE("a frame of 64 KiB, as segmentation offload delivers it, is dissected as any other") {
  const Buffer frame = ethernet().ipv4().tcp({.flags = ACK}).payload(zeros(65535 - 40)).build();
  Packet packet;
  CHECK(wire::dissect(frame, packet) == Malformed::ok);
  CHECK(packet.end() == 65549);
  const Buffer six = ethernet().ipv6().tcp({.flags = ACK}).payload(zeros(65535 - 20)).build();
  CHECK(wire::dissect(six, packet) == Malformed::ok);
  CHECK(packet.l3_length == 65575);
}
