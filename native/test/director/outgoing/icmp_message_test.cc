// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "director/outgoing/icmp_errors.h"
#include "director/outgoing/outgoing.h"
#include "pieces.h"

using namespace sluice;
using namespace sluice::test;
using director::IcmpError;

namespace {

using V4 = wire::Ipv4Address;
using V6 = wire::Ipv6Address;

// Writes the error into memory of exactly the promised size.
Buffer error_about(const Buffer& packet, const IcmpError& error, const wire::Address& source, uint16_t id = 4711) {
  Placed placed(packet);
  const std::unique_ptr<uint8_t[]> room(new uint8_t[director::icmp_error_room]);
  const uint32_t length = write_icmp_error(placed.packet, error, source, id, room.get());
  CHECK(digits(placed.bytes()) == digits(packet));
  return {room.get(), room.get() + length};
}

Buffer first_bytes(const Buffer& bytes, size_t count) {
  return {bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(std::min(count, bytes.size()))};
}

}  // namespace

// Errors that the kernel sent to a client, from the recordings of lab/ipvs-oracle.
TEST_CASE("errors are written byte for byte as the kernel writes them") {
  const struct {
    const char* what;
    const char* about;
    IcmpError error;
    const char* source;
    uint16_t id;
    const char* expected;
  } cases[] = {
      {"tunnel/ipip: time exceeded, TOS 3 becomes 0xc2",
       "4503002812680000010691000a0001020a00016404010050000003e8000000005002200071440000",
       director::time_exceeded<V4>(), "10.0.1.100", 25810,
       "45c2004464d200004001febf0a0001640a0001020b000b80000000004503002812680000010691000a0001020a000164040100500000"
       "03e8000000005002200071440000"},
      {"nat: host unreachable", "4500002800010000400600000a0001020a0001640400005000000000000000005002000000000000",
       director::host_unreachable<V4>(), "10.0.1.100", 63461,
       "45c00044f7e5000040016bae0a0001640a00010203010d17000000004500002800010000400600000a0001020a000164040000500000"
       "0000000000005002000000000000"},
      {"ipv6/tunnel-ipip: time exceeded",
       "6000000000140601fd000001000000000000000000000002fd00000100000000000000000000010004000050000003e9000000015010"
       "20008c950000",
       director::time_exceeded<V6>(), "fd00:1::100", 0,
       "6000000000443a40fd000001000000000000000000000100fd00000100000000000000000000000203009b8000000000600000000014"
       "0601fd000001000000000000000000000002fd00000100000000000000000000010004000050000003e900000001501020008c950000"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.what);
    CHECK(digits(error_about(hex(c.about), c.error, address(c.source), c.id)) == digits(hex(c.expected)));
  }
}

TEST_CASE("an IPv4 error quotes as much as 576 bytes hold") {
  const struct {
    const char* what;
    size_t data;
    uint8_t tos, error_tos;
    size_t quoted;
  } cases[] = {
      {"a short packet is quoted whole", 0, 0, 0xc0, 40},
      {"an odd length", 1, 0x10, 0xd0, 41},
      {"the longest that is quoted whole", 508, 0xff, 0xde, 548},
      {"one byte more is cut", 509, 0x20, 0xc0, 548},
      {"a full packet", 1460, 0x02, 0xc2, 548},
  };
  for (const auto& c : cases) {
    for (const IcmpError& error :
         {director::too_big<V4>(1480), director::port_unreachable<V4>(), director::network_unreachable<V4>()}) {
      CAPTURE(c.what);
      const Buffer packet = ipv4({.tos = c.tos, .dont_fragment = true}).tcp().payload(pattern(c.data)).build();
      const Buffer expected = ipv4({.source = "10.0.1.100", .destination = "10.0.1.2", .tos = c.error_tos, .id = 4711})
                                  .icmp({.type = error.type, .code = error.code, .rest = error.rest})
                                  .payload(first_bytes(packet, c.quoted))
                                  .build();
      CHECK(expected.size() <= 576);
      CHECK(digits(error_about(packet, error, address("10.0.1.100"))) == digits(expected));
    }
  }
}

TEST_CASE("an IPv6 error quotes as much as 1280 bytes hold") {
  const struct {
    const char* what;
    size_t data;
    size_t quoted;
  } cases[] = {
      {"a short packet is quoted whole", 1, 61},
      {"the longest that is quoted whole", 1172, 1232},
      {"one byte more is cut", 1173, 1232},
      {"a full packet", 1440, 1232},
  };
  for (const auto& c : cases) {
    for (const IcmpError& error :
         {director::too_big<V6>(1400), director::port_unreachable<V6>(), director::host_unreachable<V6>()}) {
      CAPTURE(c.what);
      const Buffer packet = ipv6({.traffic_class = 0xff, .flow_label = 5}).tcp().payload(pattern(c.data)).build();
      const Buffer expected = ipv6({.source = "2001:db8::100", .destination = "2001:db8::2"})
                                  .icmpv6({.type = error.type, .code = error.code, .rest = error.rest})
                                  .payload(first_bytes(packet, c.quoted))
                                  .build();
      CHECK(expected.size() <= 1280);
      CHECK(digits(error_about(packet, error, address("2001:db8::100"))) == digits(expected));
    }
  }
}

TEST_CASE("over IPv4 no error is sent about packets that must not cause one") {
  const auto icmp = [](uint8_t type) { return ipv4().icmp({.type = type}).payload(pattern(28)).build(); };
  const auto udp = [](Ipv4Layer layer) { return ipv4(layer).udp().payload("ab").build(); };
  const struct {
    const char* what;
    Buffer packet;
    bool answered;
  } cases[] = {
      {"a first fragment is answered", ipv4({.more = true}).udp().payload(pattern(16)).build(), true},
      {"a later fragment",
       ipv4({.offset = 8, .more = true, .protocol = wire::protocol::udp}).payload(pattern(16)).build(), false},
      {"an echo request is answered", icmp(8), true},
      {"an echo reply is answered", icmp(0), true},
      {"a timestamp request is answered", icmp(13), true},
      {"an address mask reply is answered", icmp(18), true},
      {"destination unreachable", icmp(3), false},
      {"source quench", icmp(4), false},
      {"redirect", icmp(5), false},
      {"time exceeded", icmp(11), false},
      {"parameter problem", icmp(12), false},
      {"router advertisement, which the kernel takes for an error", icmp(9), false},
      {"a type that was never given", icmp(1), false},
      {"a type of the future", icmp(19), false},
      {"ICMP without its type", ipv4({.protocol = wire::protocol::icmp}).build(), false},
      {"to a multicast group", udp({.destination = "224.0.0.1"}), false},
      {"to everybody", udp({.destination = "255.255.255.255"}), false},
      {"from a multicast group", udp({.source = "239.1.2.3"}), false},
      {"from everybody", udp({.source = "255.255.255.255"}), false},
      {"from nobody", udp({.source = "0.0.0.0"}), false},
      {"from a reserved network", udp({.source = "240.0.0.1"}), false},
      {"from the loopback network", udp({.source = "127.0.0.1"}), false},
      {"less than a header", first_bytes(udp({}), 19), false},
      {"a transport header without ports", first_bytes(udp({}), 23), false},
  };
  for (const auto& c : cases) {
    CAPTURE(c.what);
    CHECK(error_about(c.packet, director::time_exceeded<V4>(), address("10.0.1.100")).empty() == !c.answered);
  }
}

TEST_CASE("over IPv6 no error is sent about packets that must not cause one") {
  const IcmpError unrecognized_option{wire::icmpv6_type::parameter_problem, 2, 42};
  const IcmpError erroneous_header{wire::icmpv6_type::parameter_problem, 0, 42};
  const auto icmp = [](uint8_t type) { return ipv6().icmpv6({.type = type}).payload(pattern(48)).build(); };
  const auto udp = [](Ipv6Layer layer) { return ipv6(layer).udp().payload("ab").build(); };
  const struct {
    const char* what;
    Buffer packet;
    IcmpError error;
    bool answered;
  } cases[] = {
      {"a first fragment is answered", ipv6().fragment({.more = true}).udp().payload(pattern(16)).build(),
       director::time_exceeded<V6>(), true},
      {"a later fragment",
       ipv6().fragment({.offset = 8, .next_header = wire::protocol::udp}).payload(pattern(16)).build(),
       director::time_exceeded<V6>(), false},
      {"an echo request is answered", icmp(128), director::time_exceeded<V6>(), true},
      {"a type of the future that informs is answered", icmp(255), director::time_exceeded<V6>(), true},
      {"destination unreachable", icmp(1), director::too_big<V6>(1280), false},
      {"packet too big", icmp(2), director::too_big<V6>(1280), false},
      {"an error of the future", icmp(127), director::too_big<V6>(1280), false},
      {"an error behind extension headers",
       ipv6().hop_by_hop().destination_options().icmpv6({.type = 1}).payload(pattern(48)).build(),
       director::too_big<V6>(1280), false},
      {"to a multicast group: time exceeded", udp({.destination = "ff02::1"}), director::time_exceeded<V6>(), false},
      {"to a multicast group: port unreachable", udp({.destination = "ff0e::1"}), director::port_unreachable<V6>(),
       false},
      {"to a multicast group: packet too big is told", udp({.destination = "ff0e::1"}), director::too_big<V6>(1280),
       true},
      {"to a multicast group: an option that nobody knows is told", udp({.destination = "ff0e::1"}),
       unrecognized_option, true},
      {"to a multicast group: another parameter problem", udp({.destination = "ff0e::1"}), erroneous_header, false},
      {"from a multicast group", udp({.source = "ff02::1"}), director::too_big<V6>(1280), false},
      {"from nobody", udp({.source = "::"}), director::too_big<V6>(1280), false},
      {"less than a header", first_bytes(udp({}), 39), director::too_big<V6>(1280), false},
  };
  for (const auto& c : cases) {
    CAPTURE(c.what);
    CHECK(error_about(c.packet, c.error, address("2001:db8::100")).empty() == !c.answered);
  }
}

TEST_CASE("the sender of an error has the family of the packet") {
  const Buffer packet4 = ipv4().udp().build(), packet6 = ipv6().udp().build();
  CHECK(error_about(packet4, director::time_exceeded<V4>(), V4{}).empty());
  CHECK(error_about(packet6, director::time_exceeded<V6>(), V6{}).empty());
  CHECK(error_about(packet4, director::time_exceeded<V4>(), address("2001:db8::1")).empty());
  CHECK(error_about(packet6, director::time_exceeded<V6>(), address("10.0.1.1")).empty());
}

TEST_CASE("echo requests become echo replies") {
  const struct {
    const char* what;
    Buffer request, reply;
  } cases[] = {
      {"TOS and data are kept; TTL, id and flags are ours",
       ipv4({.ttl = 1, .tos = 0x10, .id = 5, .dont_fragment = true})
           .icmp({.rest = 0x00070001})
           .payload(pattern(57))
           .build(),
       ipv4({.source = "10.0.1.100", .destination = "10.0.1.2", .tos = 0x10, .id = 4711})
           .icmp({.type = 0, .rest = 0x00070001})
           .payload(pattern(57))
           .build()},
      {"no data", ipv4().icmp().build(),
       ipv4({.source = "10.0.1.100", .destination = "10.0.1.2", .id = 4711}).icmp({.type = 0}).build()},
      // Recorded: icmp/options-echoed.
      {"a router alert does not return", ipv4({.options = hex("94040000")}).icmp({.rest = 7}).payload("ab").build(),
       ipv4({.source = "10.0.1.100", .destination = "10.0.1.2", .id = 4711})
           .icmp({.type = 0, .rest = 7})
           .payload("ab")
           .build()},
      {"a recorded route returns, with the host in it twice",
       ipv4({.options = hex("070b0400000000000000000094040000")}).icmp().build(),
       ipv4({.source = "10.0.1.100", .destination = "10.0.1.2", .id = 4711, .options = hex("070b0c0a0001640a00016400")})
           .icmp({.type = 0})
           .build()},
      {"a full one as it is", ipv4({.options = hex("070708c000020100")}).icmp().build(),
       ipv4({.source = "10.0.1.100", .destination = "10.0.1.2", .id = 4711, .options = hex("070708c000020100")})
           .icmp({.type = 0})
           .build()},
      {"IPv6: the class is kept, the flow label is not",
       ipv6({.hop_limit = 1, .traffic_class = 0x28, .flow_label = 0xabcde}).icmpv6().payload(pattern(57)).build(),
       ipv6({.source = "2001:db8::100", .destination = "2001:db8::2", .traffic_class = 0x28})
           .icmpv6({.type = 129})
           .payload(pattern(57))
           .build()},
      {"IPv6 behind extension headers", ipv6().hop_by_hop().icmpv6().payload("a").build(),
       ipv6({.source = "2001:db8::100", .destination = "2001:db8::2"})
           .hop_by_hop()
           .icmpv6({.type = 129})
           .payload("a")
           .build()},
      // Recorded: icmp/echo.
      {"as the kernel's", hex("4500001c00010000010164dd0a0001020a0001650800f7f600070002"),
       hex("4500001c1267000040010000 0a0001650a0001020000fff600070002")},
  };
  for (const auto& c : cases) {
    CAPTURE(c.what);
    Placed placed(c.request);
    turn_echo_around(placed.packet, placed.transport(), 4711);
    Buffer expected = c.reply;
    if (family_of(expected) == wire::Family::ipv4) wire::MutableIpv4View(expected).fill_checksum();
    CHECK(digits(placed.bytes()) == digits(expected));
  }
}
