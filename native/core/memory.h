// SPDX-License-Identifier: Apache-2.0
// Memory of tables that grow in place. Where it comes from is handed in: this folder asks no operating system for it
// (native/memory/ does).
#pragma once

#include <cstddef>
#include <memory>

namespace sluice::core {

// A range of addresses that is reserved at once and made usable from its begin on. It never moves.
class Memory {
 public:
  virtual ~Memory() = default;
  // Makes the first `bytes` usable, zeroed where they are new. False where the reservation or the machine's memory does
  // not reach that far; what was usable stays so.
  virtual bool commit(size_t bytes) = 0;
  // From now on no other process sees what is written. False when that cannot be had.
  virtual bool make_private() = 0;

  // Takes the pages of what is committed now, so that touching them later costs no page fault.
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
  // Addresses for `bytes`, of which none is usable yet. `huge_pages` asks for transparent huge pages: fewer TLB misses,
  // but the first touch of each 2 MiB clears all of it.
  virtual std::unique_ptr<Memory> reserve(size_t bytes, bool huge_pages) const = 0;
};

}  // namespace sluice::core
