// SPDX-License-Identifier: Apache-2.0
// What one of several workers has of a number that is configured for all of them.
#pragma once

#include <algorithm>
#include <cstdint>

namespace sluice::core {

struct Share {
  uint16_t worker = 0, workers = 1;

  // The shares of all workers make the total; where it is less than one each, every worker still has one. 0 means no
  // limit, for all as for each.
  uint32_t of(uint32_t total) const {
    if (total == 0) return 0;
    return std::max<uint32_t>(total / workers + (worker < total % workers ? 1 : 0), 1);
  }
};

}  // namespace sluice::core
