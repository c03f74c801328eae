// SPDX-License-Identifier: Apache-2.0
#include "probe/deadlines.h"

#include <doctest/doctest.h>

#include <map>
#include <random>
#include <set>

using sluice::Time;
using sluice::probe::Deadlines;

TEST_CASE("the earliest deadline is that of a sorted set, whatever is inserted and removed") {
  for (uint32_t seed = 0; seed < 20; seed++) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    Deadlines deadlines;
    std::map<uint32_t, Time> by_slot;
    std::multiset<Time> sorted;
    for (int i = 0; i < 5000; i++) {
      const uint32_t slot = random() % 200;
      const auto found = by_slot.find(slot);
      if (found == by_slot.end()) {
        const Time deadline = random() % 1000;
        deadlines.insert(slot, deadline);
        by_slot[slot] = deadline;
        sorted.insert(deadline);
      } else {
        deadlines.remove(slot);
        sorted.erase(sorted.find(found->second));
        by_slot.erase(found);
      }
      REQUIRE(deadlines.is_empty() == sorted.empty());
      if (sorted.empty()) continue;
      REQUIRE(deadlines.earliest() == *sorted.begin());
      REQUIRE(by_slot.at(deadlines.first()) == *sorted.begin());
    }
  }
}

TEST_CASE("a slot without a deadline can be removed") {
  Deadlines deadlines;
  deadlines.remove(7);
  deadlines.insert(7, 1);
  deadlines.remove(7);
  deadlines.remove(7);
  CHECK(deadlines.is_empty());
}
