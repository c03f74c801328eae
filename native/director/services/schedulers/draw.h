// SPDX-License-Identifier: Apache-2.0
// Numbers drawn from the injected source.
#pragma once

#include <cstdint>

#include "director/services/scheduler.h"

namespace sluice::director::schedulers {

// Uniform in [0, bound), by multiplication and no division, as the kernel draws it. A bound that 2^32 is no multiple of
// favours some numbers by less than bound / 2^32.
inline uint32_t draw_below(const RandomSource& random, uint32_t bound) {
  return static_cast<uint32_t>(uint64_t{random()} * bound >> 32);
}

}  // namespace sluice::director::schedulers
