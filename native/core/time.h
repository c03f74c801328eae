// SPDX-License-Identifier: Apache-2.0
// Time for the director. It is passed in with every batch, never read from a clock.
#pragma once

#include <cstdint>

namespace sluice::core {

// Nanoseconds since an epoch that the caller chooses (time stamps of a capture, or the machine's monotonic clock).
using Time = uint64_t;

inline constexpr Time second = 1'000'000'000;

// Deadlines of flows are kept in ticks of 2^22 ns (4.19 ms, close to a kernel's jiffy). Ticks have 32 bits and are
// compared by their signed difference: they reach 104 days ahead, more than ipvsadm's longest timeout of 31 days.
using Tick = uint32_t;
inline constexpr unsigned tick_shift = 22;

inline constexpr Tick tick_at(Time time) {
  return static_cast<Tick>(time >> tick_shift);
}
// Rounded up: a timeout lasts at least as long as it says.
inline constexpr Tick ticks(Time duration) {
  return static_cast<Tick>((duration + (Time{1} << tick_shift) - 1) >> tick_shift);
}
inline constexpr bool is_due(Tick deadline, Tick now) {
  return static_cast<int32_t>(now - deadline) >= 0;
}

}  // namespace sluice::core

// Every part of the module uses these names; within sluice they need no `core::`.
namespace sluice {
using core::is_due;
using core::second;
using core::Tick;
using core::tick_at;
using core::ticks;
using core::Time;
}  // namespace sluice
