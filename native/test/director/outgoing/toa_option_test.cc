// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "director/outgoing/outgoing.h"
#include "pieces.h"

using namespace sluice;
using namespace sluice::test;

namespace {

constexpr uint16_t client_port = 0x1f90;
const wire::Address client4 = address("10.0.1.2"), client6 = address("2001:db8::2");
const Buffer toa4 = hex("fe08 1f90 0a000102");
const Buffer toa6 = hex("fe14 1f90 20010db8 00000000 00000000 00000002");
const Buffer linux_options = hex("020405b4 0402080a 00000064 00000000 01030307");

// What a real server's module finds: the first option of that kind, if it reads that far.
std::optional<Buffer> first_toa(wire::TcpView tcp) {
  wire::OptionWalk walk(tcp.options());
  wire::Option option;
  while (walk.next(option)) {
    if (option.kind == wire::tcp_option::toa) return Buffer(option.data.begin(), option.data.end());
  }
  return std::nullopt;
}

}  // namespace

TEST_CASE("the client's address stands in front of the segment's own options, and all checksums are right") {
  const struct {
    const char* what;
    Buffer options;
    uint8_t flags;
    size_t data;
  } cases[] = {
      {"a SYN without options", {}, SYN, 0},
      {"a SYN of Linux", linux_options, SYN, 0},
      {"a SYN that ends its options, as Apple's systems do", hex("020405b4 01030306 0402 0000"), SYN, 0},
      {"a SYN that lies about its client", hex("fe080000 01020304"), SYN, 0},
      {"data", hex("0101080a0000006400000065"), ACK | PSH, 1000},
      {"an odd length", {}, ACK | PSH, 999},
  };
  for (const auto& c : cases) {
    for (const auto& [client, toa] : {std::pair(client4, toa4), std::pair(client6, toa6)}) {
      for (const Sum sum : {Sum::right, Sum::partial}) {
        CAPTURE(c.what);
        CAPTURE(wire::to_string(client));
        CAPTURE(sum == Sum::partial);
        const TcpLayer before{.sequence = 99, .acknowledgement = 7, .flags = c.flags, .options = c.options, .sum = sum};
        TcpLayer after = before;
        after.options = toa + c.options;
        const Ipv4Layer ip4{.ttl = 9, .tos = 4, .id = 3, .dont_fragment = true, .options = hex("94040000")};
        const Buffer data = pattern(c.data);
        const std::pair<Buffer, Buffer> families[] = {
            {ipv4(ip4).tcp(before).payload(data).build(), ipv4(ip4).tcp(after).payload(data).build()},
            {ipv6().destination_options().tcp(before).payload(data).build(),
             ipv6().destination_options().tcp(after).payload(data).build()},
        };
        for (const auto& [packet, expected] : families) {
          Placed placed(packet, toa.size());
          const uint8_t* const end = placed.packet.data + placed.packet.length;
          const uint32_t transport = placed.transport();
          REQUIRE(insert_toa(placed.packet, transport, client, client_port, 1500, sum == Sum::partial));
          CHECK(digits(placed.bytes()) == digits(expected));
          CHECK_MESSAGE(placed.packet.data + placed.packet.length == end, "options and payload have not moved");
          const auto tcp = wire::TcpView::parse(placed.bytes().subspan(transport));
          REQUIRE(tcp);
          REQUIRE(first_toa(*tcp));
          CHECK(digits(*first_toa(*tcp)) == digits(wire::Bytes(toa).subspan(2)));
        }
      }
    }
  }
}

TEST_CASE("a wrong checksum stays wrong by the same amount") {
  Placed placed(ipv4().tcp({.checksum = 0x1234}).payload("abc").build(), toa4.size());
  const Buffer right = ipv4().tcp().payload("abc").build();
  const uint16_t error = wire::fold(wire::change16(wire::load_raw16(&right[36]), wire::raw16(0x1234)));
  REQUIRE(insert_toa(placed.packet, 20, client4, client_port, 1500, false));
  const Buffer right_after = ipv4().tcp({.options = toa4}).payload("abc").build();
  const uint16_t error_after =
      wire::fold(wire::change16(wire::load_raw16(&right_after[36]), wire::load_raw16(placed.packet.data + 36)));
  CHECK(error_after == error);
}

TEST_CASE("without room the option is left out and the packet is unchanged") {
  const Buffer syn = ipv4().tcp({.options = linux_options}).build();
  const struct {
    const char* what;
    Buffer packet;
    wire::Address client;
    uint32_t mtu;
    bool inserted;
  } cases[] = {
      {"a TCP header of 52 bytes holds 8 more", ipv4().tcp({.options = Buffer(32, 1)}).build(), client4, 1500, true},
      {"of 56 it does not", ipv4().tcp({.options = Buffer(36, 1)}).build(), client4, 1500, false},
      {"a full TCP header", ipv4().tcp({.options = Buffer(40, 1)}).build(), client4, 1500, false},
      {"a TCP header of 40 bytes holds 20 more", ipv6().tcp({.options = linux_options}).build(), client6, 1500, true},
      {"of 44 it does not", ipv6().tcp({.options = Buffer(24, 1)}).build(), client6, 1500, false},
      {"the MTU is reached", syn, client4, static_cast<uint32_t>(syn.size() + 8), true},
      {"the MTU would be exceeded", syn, client4, static_cast<uint32_t>(syn.size() + 7), false},
      {"the longest packet would be exceeded", ipv4().tcp().payload(pattern(65535 - 40 - 7)).build(), client4, 65536,
       false},
      {"a first fragment", ipv4({.more = true}).tcp().payload(pattern(20)).build(), client4, 1500, false},
      {"a later fragment", ipv4({.offset = 8, .protocol = 6}).payload(Buffer(40, 0x50)).build(), client4, 1500, false},
      {"an IPv6 fragment", ipv6().fragment({.more = true}).tcp().payload(pattern(20)).build(), client6, 1500, false},
      {"a TCP header that is cut", ipv4({.protocol = 6}).payload(pattern(19)).build(), client4, 1500, false},
      {"a TCP header that lies", ipv4().tcp({.header_words = 15}).build(), client4, 1500, false},
  };
  for (const auto& c : cases) {
    CAPTURE(c.what);
    Placed placed(c.packet, toa6.size());
    CHECK(insert_toa(placed.packet, placed.transport(), c.client, client_port, c.mtu, false) == c.inserted);
    if (!c.inserted) CHECK(digits(placed.bytes()) == digits(c.packet));
  }
}
