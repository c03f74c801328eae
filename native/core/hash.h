// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace sluice::core {

// 64 x 64 bits to 64, both halves of the product folded: every bit of the result hangs on every bit of a and b. Keyed
// hashes are made of it by xor of a secret into both; none of them leaves the process.
inline uint64_t multiply_fold(uint64_t a, uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

}  // namespace sluice::core
