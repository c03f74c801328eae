// SPDX-License-Identifier: Apache-2.0
#include "director/services/source_limit.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>

namespace sluice::director {
namespace {

using wire::Ipv4Address;
using wire::Ipv6Address;

Ipv4Address source4(uint8_t a, uint8_t b, uint8_t c, uint8_t d) {
  const uint8_t bytes[] = {a, b, c, d};
  return Ipv4Address::load(bytes);
}

TEST_CASE("a source gets its burst at once and then its rate") {
  SourceLimit<Ipv4Address> limit({.rate = 10, .burst = 5});
  const Ipv4Address source = source4(192, 0, 2, 1);
  Time now = 100 * second;
  for (int i = 0; i < 5; ++i) CHECK(limit.admit(source, now));
  CHECK_FALSE(limit.admit(source, now));
  CHECK_FALSE(limit.admit(source, now + second / 10 - 1));
  now += second / 10;
  CHECK(limit.admit(source, now));
  CHECK_FALSE(limit.admit(source, now));
  CHECK(limit.refused() == 3);
  CHECK(limit.admit(source4(192, 0, 2, 2), now));

  now += 10 * second;  // not more than the burst is saved
  int admitted = 0;
  while (limit.admit(source, now)) ++admitted;
  CHECK(admitted == 5);
}

TEST_CASE("a rate of 0 limits nobody and takes no memory") {
  SourceLimit<Ipv4Address> limit({});
  for (int i = 0; i < 1000; ++i) CHECK(limit.admit(source4(192, 0, 2, 1), 0));
  CHECK(limit.memory_bytes() == 0);
}

TEST_CASE("sources of one network share a bucket when a prefix is given") {
  SourceLimit<Ipv4Address> limit({.rate = 1, .burst = 2, .prefix = 23});
  CHECK(limit.admit(source4(192, 0, 2, 1), second));
  CHECK(limit.admit(source4(192, 0, 3, 255), second));
  CHECK_FALSE(limit.admit(source4(192, 0, 2, 7), second));
  CHECK(limit.admit(source4(192, 0, 4, 1), second));

  SourceLimit<Ipv6Address> limit6({.rate = 1, .burst = 1, .prefix = 64});
  const uint8_t one[16] = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 9}, other[16] = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 2, 9};
  uint8_t neighbour[16] = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 200};
  CHECK(limit6.admit(Ipv6Address::load(one), second));
  CHECK_FALSE(limit6.admit(Ipv6Address::load(neighbour), second));
  CHECK(limit6.admit(Ipv6Address::load(other), second));
}

TEST_CASE("the limit equals that of a plain token bucket per source") {
  constexpr uint32_t rate = 7, burst = 4;
  SourceLimit<Ipv4Address> limit({.rate = rate, .burst = burst, .entries = 4096, .seed = 3});
  struct Bucket {
    Time full_at = 0;
  };
  std::map<uint32_t, Bucket> model;
  std::mt19937 random(1);
  Time now = second;
  for (int i = 0; i < 100'000; ++i) {
    now += random() % (second / 500);
    const uint32_t source = random() % 50;
    Bucket& bucket = model[source];
    const Time begin = std::max(bucket.full_at, now);
    const bool admitted = begin - now <= (burst - 1) * (second / rate);
    if (admitted) bucket.full_at = begin + second / rate;
    REQUIRE(limit.admit({source}, now) == admitted);
  }
  CHECK(limit.displaced() == 0);
}

TEST_CASE("a busy source stays limited while many other sources pass through a small table") {
  SourceLimit<Ipv4Address> limit({.rate = 10, .burst = 100, .entries = 64});
  const Ipv4Address heavy{1};
  Time now = second;
  uint32_t admitted = 0;
  for (uint32_t i = 0; i < 100'000; ++i) {
    now += second / 10'000;
    if (i % 10 == 0) admitted += limit.admit(heavy, now);
    limit.admit({1000 + i}, now);
  }
  // In 10 s: the burst, then 10 per second.
  CHECK(admitted <= 200);
  CHECK(admitted >= 199);
  CHECK(limit.displaced() > 0);
}

}  // namespace
}  // namespace sluice::director
