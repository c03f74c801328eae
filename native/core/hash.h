// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace sluice::core {

// Hashes 64 x 64 bits to 64: both halves of the product are folded, so every bit of the result depends on every bit of
// a and b. A keyed hash xors a secret into both. No such hash leaves the process.
inline uint64_t multiply_fold(uint64_t a, uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

}  // namespace sluice::core
