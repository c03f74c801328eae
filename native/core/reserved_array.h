// SPDX-License-Identifier: Apache-2.0
// An array that grows in place: address space for its greatest size is reserved at once, memory is taken as it is
// needed. Nothing ever moves, so growing costs a system call a step and never a copy, and pointers stay good.
//
// The memory may be that of a file (a memfd), which grows with it: what somebody else who has the file finds in it when
// this process is no more.
#pragma once

#include <cstddef>

namespace sluice::core {

class ReservedMemory {
 public:
  // `huge_pages` asks the kernel for transparent huge pages: fewer TLB misses, but the first touch of each 2 MiB clears
  // all of it.
  // `file` must be empty and stay open for as long as this exists; no_file: the process's own memory.
  ReservedMemory(size_t bytes, bool huge_pages, int file = no_file);
  ~ReservedMemory();
  ReservedMemory(const ReservedMemory&) = delete;
  ReservedMemory& operator=(const ReservedMemory&) = delete;

  // Makes the first `bytes` usable, zeroed where they are new. False where the reservation or the machine's memory does
  // not reach that far; what was usable stays so.
  bool commit(size_t bytes);
  // Takes the pages of what is committed now, so that touching them later costs no page fault.
  void populate();
  // From now on what is written is not written to the file.
  bool leave_file();
  void* data() const { return base_; }
  size_t committed() const { return committed_; }

  static constexpr int no_file = -1;

 private:
  void* mapping_ = nullptr;
  size_t mapping_size_ = 0;
  void* base_ = nullptr;  // aligned to a step, inside the mapping
  size_t reserved_ = 0;
  size_t committed_ = 0;
  bool huge_pages_;
  int file_;
};

template <class T>
class ReservedArray {
 public:
  ReservedArray(size_t limit, bool huge_pages, int file = ReservedMemory::no_file)
      : memory_(limit * sizeof(T), huge_pages, file) {}

  // Elements begin as zero bytes.
  bool reach(size_t count) { return count * sizeof(T) <= memory_.committed() || memory_.commit(count * sizeof(T)); }
  // The same, and no page fault later on.
  bool prepare(size_t count) {
    if (!reach(count)) return false;
    memory_.populate();
    return true;
  }
  bool leave_file() { return memory_.leave_file(); }
  T* data() const { return static_cast<T*>(memory_.data()); }
  T& operator[](size_t index) const { return data()[index]; }
  size_t committed_bytes() const { return memory_.committed(); }

 private:
  ReservedMemory memory_;
};

}  // namespace sluice::core
