// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace sluice::core {

// Sends for a cache line. The empty assembly is there for gcc, which takes a function that does nothing but
// __builtin_prefetch() for one without effect, and drops every call of it whose result nobody uses.
inline void prefetch(const void* at) {
  __builtin_prefetch(at);
  asm volatile("");
}

}  // namespace sluice::core
