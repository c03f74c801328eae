// SPDX-License-Identifier: Apache-2.0
// The memory files of one worker: those that it works in, and those that the worker of a process before has left.
#pragma once

#include <array>

#include "engine/keepsakes.h"
#include "lvs/director.h"

namespace sluice::engine {

class WorkerFiles {
 public:
  // New ones, kept for the next process.
  bool make(const Keepsakes& keepsakes, uint16_t worker, host::Failure& failure);
  lvs::MemoryFiles of_director() const;
  int recorder() const;

 private:
  static constexpr std::array kinds = {Keepsake::flows4, Keepsake::flows6, Keepsake::proxied, Keepsake::destinations,
                                       Keepsake::recorder};
  std::array<host::Descriptor, kinds.size()> files_;
};

// Has the director carry on the flows that the worker of the same number had.
lvs::Restored restore_from(const Keepsakes& keepsakes, uint16_t worker, lvs::Director& director, lvs::Time now);

}  // namespace sluice::engine
