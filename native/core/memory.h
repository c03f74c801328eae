// SPDX-License-Identifier: Apache-2.0
// Memory of tables that grow in place. The caller hands in the source: this folder asks no operating system for memory
// (native/memory/ does).
#pragma once

#include <cstddef>
#include <memory>

namespace sluice::core {

// A range of addresses that is reserved as a whole and made usable from its beginning on. It never moves.
class Memory {
 public:
  virtual ~Memory() = default;
  // Makes the first `bytes` usable; new ones are zero. False if the reservation is too small or the machine has no
  // memory left; then what was usable stays usable.
  virtual bool commit(size_t bytes) = 0;
  // From now on no other process sees what is written. False if that is not possible.
  virtual bool make_private() = 0;

  // Touches every committed page now, so that later accesses cost no page fault.
  void populate() {
    constexpr size_t page = 4096;
    for (size_t at = 0; at < committed_; at += page) {
      volatile char* byte = static_cast<char*>(base_) + at;
      *byte = *byte;
    }
  }
  void* data() const { return base_; }
  size_t committed() const { return committed_; }

 protected:
  void* base_ = nullptr;
  size_t committed_ = 0;
};

class MemorySource {
 public:
  virtual ~MemorySource() = default;
  // Reserves addresses for `bytes`; none of them is usable yet. `huge_pages` asks for transparent huge pages: they cost
  // fewer TLB misses, but the first touch of each 2 MiB clears all of it.
  virtual std::unique_ptr<Memory> reserve(size_t bytes, bool huge_pages) const = 0;
};

}  // namespace sluice::core
