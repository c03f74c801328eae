// SPDX-License-Identifier: Apache-2.0
// An array that grows in place: address space for its largest size is reserved at once, memory is taken as needed.
// Elements never move, so growing copies nothing and pointers stay valid.
#pragma once

#include <cstddef>
#include <memory>

#include "core/memory.h"

namespace sluice::core {

template <class T>
class ReservedArray {
 public:
  ReservedArray(size_t limit, bool huge_pages, const MemorySource& source)
      : memory_(source.reserve(limit * sizeof(T), huge_pages)), data_(static_cast<T*>(memory_->data())) {}

  // Makes `count` elements usable. New elements are zero bytes.
  bool reach(size_t count) { return count * sizeof(T) <= memory_->committed() || memory_->commit(count * sizeof(T)); }
  // As reach(), and later accesses cost no page fault.
  bool prepare(size_t count) {
    if (!reach(count)) return false;
    memory_->populate();
    return true;
  }
  // From now on no other process sees what is written.
  bool make_private() { return memory_->make_private(); }
  T* data() const { return data_; }
  T& operator[](size_t index) const { return data_[index]; }
  size_t committed_bytes() const { return memory_->committed(); }

 private:
  std::unique_ptr<Memory> memory_;
  T* data_;  // where the memory begins
};

}  // namespace sluice::core
