// SPDX-License-Identifier: Apache-2.0
// Seeds of the fuzz target `decap`: the protocol, the traffic class and a payload of each tunnel. To write them again,
// run this test with UPDATE_CORPUS=1.
#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "test/director/outgoing/pieces.h"

using namespace sluice;
using namespace sluice::test;

namespace {

struct Seed {
  const char* name;
  Buffer bytes;
};

std::vector<Seed> seeds() {
  const Buffer tcp = ipv4({.tos = 2}).tcp({.flags = ACK, .sum = Sum::partial}).payload("ab").build();
  const Buffer extended = ipv6().hop_by_hop().destination_options().udp().payload("ab").build();
  const Buffer keyed = PacketBuilder().gre({.checksum = true, .key = 7, .sequence = 1}).ipv4().udp().build();
  const Buffer remote = PacketBuilder()
                            .gue({.remote_checksum = wire::RemoteChecksum{40, 46}})
                            .ipv6()
                            .udp({.sum = Sum::partial})
                            .payload("ab")
                            .build();
  return {
      {"ipip-congested", hex("0403") + tcp},
      {"ipv6", hex("2900") + extended},
      {"ipv6-fragment", hex("2900") + ipv6().fragment({.more = true}).udp().payload(pattern(16)).build()},
      {"gre", hex("2f00") + keyed},
      {"gue", hex("1100") + remote},
      {"gue-bare", hex("1100") + ipv4().icmp().payload("ab").build()},
      {"gue-control", hex("1100 20000000")},
  };
}

}  // namespace

TEST_CASE("the fuzz corpus holds every seed") {
  const bool update = std::getenv("UPDATE_CORPUS") != nullptr;
  for (const Seed& seed : seeds()) {
    CAPTURE(seed.name);
    const std::string path = std::string("native/fuzz/corpus/decap/") + seed.name;
    if (update) {
      std::ofstream(path, std::ios::binary)
          .write(reinterpret_cast<const char*>(seed.bytes.data()), static_cast<std::streamsize>(seed.bytes.size()));
    }
    std::ifstream in(path, std::ios::binary);
    const Buffer stored{std::istreambuf_iterator<char>(in), {}};
    CHECK(digits(stored) == digits(seed.bytes));
  }
}
