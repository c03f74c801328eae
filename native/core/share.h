// SPDX-License-Identifier: Apache-2.0
// One worker's share of a number that is configured for all workers.
#pragma once

#include <algorithm>
#include <cstdint>

namespace sluice::core {

struct Share {
  uint16_t worker = 0, workers = 1;

  // The shares of all workers add up to the total. If that is less than one per worker, each worker still has one. 0
  // means no limit, for the total as for the share.
  uint32_t of(uint32_t total) const {
    if (total == 0) return 0;
    return std::max<uint32_t>(total / workers + (worker < total % workers ? 1 : 0), 1);
  }
};

}  // namespace sluice::core
