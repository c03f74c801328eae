// SPDX-License-Identifier: Apache-2.0
#include "engine/notices.h"

#include <doctest/doctest.h>

using sluice::engine::Notices;
using Lines = std::vector<std::string>;

TEST_CASE("a condition that comes again and again has one notice, the newest, until it has ended") {
  Notices notices;
  for (int i = 1; i <= 1000; i++) notices.set("port 0", "failure " + std::to_string(i));
  notices.set("port 1", "another");
  CHECK(notices.all() == Lines{"failure 1000", "another"});
  notices.clear("port 0");
  notices.clear("port 0");
  CHECK(notices.all() == Lines{"another"});
}
