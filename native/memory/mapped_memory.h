// SPDX-License-Identifier: Apache-2.0
// Memory that the kernel maps: where the tables of a director lie.
#pragma once

#include <memory>

#include "core/memory.h"

namespace sluice::memory {

// The process's own memory.
const core::MemorySource& process_memory();

// The memory of a file (a memfd), which grows with it: what another process that has the file finds in it when this
// process has ended. The file must be empty, stay open for as long as the memory exists, and back one range alone.
std::shared_ptr<const core::MemorySource> file_memory(int file);

}  // namespace sluice::memory
