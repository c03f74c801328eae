// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace sluice::core {

// Fetches a cache line ahead of its use. The empty assembly is for gcc: gcc takes a function that only calls
// __builtin_prefetch() for one without effect, and drops its calls.
inline void prefetch(const void* at) {
  __builtin_prefetch(at);
  asm volatile("");
}

}  // namespace sluice::core
