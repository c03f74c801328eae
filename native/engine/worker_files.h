// SPDX-License-Identifier: Apache-2.0
// The memory files of one worker: those that it works in, and those that the worker of a process before has left.
#pragma once

#include <array>

#include "director/stages/director.h"
#include "engine/crash_state.h"

namespace sluice::engine {

class WorkerFiles {
 public:
  // New ones, kept for the next process.
  bool make(const CrashState& crash_state, uint16_t worker, host::Failure& failure);
  director::DirectorMemory of_director() const;
  int recorder() const;

 private:
  static constexpr std::array kinds = {CrashItem::flows4, CrashItem::flows6, CrashItem::spliced,
                                       CrashItem::destinations, CrashItem::recorder};
  std::array<host::Descriptor, kinds.size()> files_;
};

// Has the director carry on the flows that the worker of the same number had.
director::Restored restore_from(const CrashState& crash_state, uint16_t worker, director::Director& director, Time now);

}  // namespace sluice::engine
