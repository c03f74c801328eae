// SPDX-License-Identifier: Apache-2.0
// The memory files of one worker: its own files, and those of the same worker in a process that has crashed.
#pragma once

#include <array>

#include "director/stages/director.h"
#include "engine/crash_state.h"

namespace sluice::engine {

class WorkerFiles {
 public:
  // Creates new files and gives them to the crash state for the next process.
  bool make(CrashState& crash_state, uint16_t worker, host::Failure& failure);
  director::DirectorMemory of_director() const;
  int recorder() const;

 private:
  static constexpr std::array kinds = {CrashItem::flows4, CrashItem::flows6, CrashItem::spliced,
                                       CrashItem::destinations, CrashItem::recorder};
  std::array<host::Descriptor, kinds.size()> files_;
};

// The director restores the flows that the worker of the same number had in the previous process.
director::Restored restore_from(const CrashState& crash_state, uint16_t worker, director::Director& director, Time now);

}  // namespace sluice::engine
