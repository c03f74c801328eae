// SPDX-License-Identifier: Apache-2.0
#include "port/xdp_memory.h"

#include <sys/mman.h>

namespace sluice::port {

XdpMemory::~XdpMemory() {
  if (data_ != nullptr) ::munmap(data_, bytes());
}

bool XdpMemory::allocate(uint32_t chunk_bytes, uint32_t chunks) {
  const size_t wanted = size_t{chunk_bytes} * chunks;
  void* const memory =
      ::mmap(nullptr, wanted, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) return false;
  data_ = static_cast<uint8_t*>(memory);
  // Kept from the copy of the process that a rehearsal makes (decision 12). The copy reads no frames of ports, and
  // pages that the kernel writes to would be copied for it one by one.
  static_cast<void>(::madvise(memory, wanted, MADV_DONTFORK));
  chunk_bytes_ = chunk_bytes;
  states_.assign(chunks, 0);
  held_.reserve(chunks);
  for (uint32_t chunk = chunks; chunk-- > 0;) free_.push_back(chunk);
  return true;
}

void XdpMemory::release() {
  for (const uint32_t chunk : held_) {
    states_[chunk] &= static_cast<uint8_t>(~held);
    if (states_[chunk] == 0) free_.push_back(chunk);
  }
  held_.clear();
}

}  // namespace sluice::port
