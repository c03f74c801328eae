// SPDX-License-Identifier: Apache-2.0
// Random numbers from the injected source.
#pragma once

#include <cstdint>

#include "director/services/scheduler.h"

namespace sluice::director::schedulers {

// Uniform in [0, bound), by multiplication without division, as in the kernel. If 2^32 is not a multiple of `bound`,
// some numbers are favoured by less than bound / 2^32.
inline uint32_t draw_below(const RandomSource& random, uint32_t bound) {
  return static_cast<uint32_t>(uint64_t{random()} * bound >> 32);
}

}  // namespace sluice::director::schedulers
