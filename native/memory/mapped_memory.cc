// SPDX-License-Identifier: Apache-2.0
#include "memory/mapped_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <utility>

namespace sluice::memory {

namespace {

constexpr int no_file = -1;

// Memory is made usable in steps of a huge page: one system call for 32768 flows.
constexpr size_t step = size_t{2} << 20;

size_t round_up(size_t bytes) {
  return (bytes + step - 1) / step * step;
}

class MappedMemory : public core::Memory {
 public:
  MappedMemory(size_t bytes, bool huge_pages, int file)
      : reserved_(round_up(bytes)), huge_pages_(huge_pages), file_(file) {
    mapping_size_ = reserved_ + step;
    // Without access rights nothing counts against the machine's commit limit, whatever vm.overcommit_memory says.
    void* mapping = mmap(nullptr, mapping_size_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED) {
      reserved_ = 0;
      return;
    }
    mapping_ = mapping;
    base_ = reinterpret_cast<void*>(round_up(reinterpret_cast<uintptr_t>(mapping)));
  }
  ~MappedMemory() override {
    if (mapping_ != nullptr) munmap(mapping_, mapping_size_);
  }
  MappedMemory(const MappedMemory&) = delete;
  MappedMemory& operator=(const MappedMemory&) = delete;

  bool commit(size_t bytes) override {
    const size_t wanted = round_up(bytes);
    if (wanted <= committed_) return true;
    if (wanted > reserved_) return false;
    void* from = static_cast<char*>(base_) + committed_;
    const size_t added = wanted - committed_;
    if (file_ == no_file) {
      if (mprotect(from, added, PROT_READ | PROT_WRITE) != 0) return false;
    } else {
      const auto offset = static_cast<off_t>(committed_);
      constexpr int readable = PROT_READ | PROT_WRITE;
      if (ftruncate(file_, static_cast<off_t>(wanted)) != 0) return false;
      if (mmap(from, added, readable, MAP_SHARED | MAP_FIXED, file_, offset) == MAP_FAILED) return false;
    }
    if (huge_pages_) madvise(from, added, MADV_HUGEPAGE);  // advice: without it, ordinary pages
    committed_ = wanted;
    return true;
  }

  bool make_private() override {
    const int file = std::exchange(file_, no_file);
    if (file == no_file || committed_ == 0) return true;
    return mmap(base_, committed_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, file, 0) != MAP_FAILED;
  }

 private:
  void* mapping_ = nullptr;
  size_t mapping_size_ = 0;  // base_ is aligned to a step inside of it
  size_t reserved_ = 0;
  bool huge_pages_;
  int file_;
};

class MappedSource : public core::MemorySource {
 public:
  explicit MappedSource(int file) : file_(file) {}
  std::unique_ptr<core::Memory> reserve(size_t bytes, bool huge_pages) const override {
    return std::make_unique<MappedMemory>(bytes, huge_pages, file_);
  }

 private:
  int file_;
};

}  // namespace

const core::MemorySource& process_memory() {
  static const MappedSource source(no_file);
  return source;
}

std::shared_ptr<const core::MemorySource> file_memory(int file) {
  return std::make_shared<MappedSource>(file);
}

}  // namespace sluice::memory
