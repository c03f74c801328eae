// SPDX-License-Identifier: Apache-2.0
// Seeds of the fuzz target `outgoing`: packets of each kind, each after choices that let it pass many checks. To write
// them again, run this test with UPDATE_CORPUS=1.
#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "pieces.h"

using namespace sluice;
using namespace sluice::test;

namespace {

struct Seed {
  const char* name;
  const char* choices;  // as outgoing_fuzz.cc reads them
  Buffer packet;
};

std::vector<Seed> seeds() {
  const Buffer options = hex("020405b4 0402080a 00000064 00000000 01030307");
  const NeighbourLayer asks{.target = "2001:db8::100"};
  return {
      {"syn-ipip", "000005dc", ipv4({.dont_fragment = true}).tcp({.options = options}).build()},
      {"syn6-gre-over-ipv4", "060105dc", ipv6().tcp({.options = options}).build()},
      {"segments", "0000000a", ipv4().tcp({.flags = ACK | PSH}).payload(pattern(64)).build()},
      {"segments6", "1000000a", ipv6().tcp({.flags = ACK | PSH}).payload(pattern(64)).build()},
      {"datagrams-gue", "05000010", ipv4().udp({.sum = Sum::partial}).payload(pattern(40)).build()},
      {"remote-checksum", "39000044", ipv6().udp({.sum = Sum::partial}).payload(pattern(90)).build()},
      {"fragment-with-options", "00000030",
       ipv4({.offset = 80, .more = true, .options = hex("07070400000000 00"), .protocol = wire::protocol::udp})
           .payload(pattern(48))
           .build()},
      {"fragment6", "1000003c", ipv6().fragment({.more = true}).udp().payload(pattern(16)).build()},
      {"extension-headers", "1600003c", ipv6().hop_by_hop().destination_options().tcp().payload("ab").build()},
      {"gre-to-cut", "10000040", ipv6({.next_header = wire::protocol::gre}).payload(pattern(60)).build()},
      {"echo", "000005dc", ipv4().icmp().payload("ab").build()},
      {"echo6", "100005dc", ipv6().icmpv6().payload("ab").build()},
      {"error", "000005dc", ipv4().icmp({.type = 3}).payload(ipv4().udp().build()).build()},
      {"solicitation", "000005dc", ipv6({.destination = "2001:db8::100", .hop_limit = 255}).neighbour(asks).build()},
      {"sctp", "000005dc", ipv4().sctp().chunk({.value = pattern(5)}).build()},
      {"arp", "000005dc", PacketBuilder().arp().build()},
  };
}

}  // namespace

TEST_CASE("the fuzz corpus holds every seed") {
  const bool update = std::getenv("UPDATE_CORPUS") != nullptr;
  for (const Seed& seed : seeds()) {
    CAPTURE(seed.name);
    const std::string path = std::string("native/fuzz/corpus/outgoing/") + seed.name;
    const Buffer bytes = hex(seed.choices) + seed.packet;
    if (update) {
      std::ofstream(path, std::ios::binary)
          .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    }
    std::ifstream in(path, std::ios::binary);
    const Buffer stored{std::istreambuf_iterator<char>(in), {}};
    CHECK(digits(stored) == digits(bytes));
  }
}
