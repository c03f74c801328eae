// SPDX-License-Identifier: Apache-2.0
// One of the four rings that an AF_XDP socket shares with the kernel: of a fill or transmit ring this end is the
// producer, of a receive or completion ring the consumer.
#pragma once

#include <linux/if_xdp.h>
#include <sys/mman.h>

#include <cstddef>
#include <cstdint>

namespace sluice::port {

template <class Entry>
class XdpRing {
 public:
  XdpRing() = default;
  XdpRing(const XdpRing&) = delete;
  XdpRing& operator=(const XdpRing&) = delete;
  ~XdpRing() {
    if (memory_ != nullptr) ::munmap(memory_, bytes_);
  }

  // `size` is a power of two, and what the socket was told. False with errno.
  bool map(int socket, uint32_t size, const xdp_ring_offset& places, uint64_t page) {
    bytes_ = places.desc + size_t{size} * sizeof(Entry);
    void* const memory =
        ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, socket, static_cast<off_t>(page));
    if (memory == MAP_FAILED) return false;
    static_cast<void>(::madvise(memory, bytes_, MADV_DONTFORK));  // as the frames' memory
    memory_ = static_cast<uint8_t*>(memory);
    producer_ = reinterpret_cast<uint32_t*>(memory_ + places.producer);
    consumer_ = reinterpret_cast<uint32_t*>(memory_ + places.consumer);
    flags_ = reinterpret_cast<uint32_t*>(memory_ + places.flags);
    entries_ = reinterpret_cast<Entry*>(memory_ + places.desc);
    size_ = size;
    return true;
  }

  // The producer's. What was put is there for the kernel when it is published.
  bool is_full() const { return unconsumed() == size_; }
  uint32_t unconsumed() const { return next_ - __atomic_load_n(consumer_, __ATOMIC_ACQUIRE); }
  void put(const Entry& entry) { entries_[next_++ & (size_ - 1)] = entry; }
  void publish() { __atomic_store_n(producer_, next_, __ATOMIC_RELEASE); }
  bool needs_wakeup() const { return (__atomic_load_n(flags_, __ATOMIC_RELAXED) & XDP_RING_NEED_WAKEUP) != 0; }

  // The consumer's. What was taken is the kernel's again when it is given back.
  uint32_t waiting() const { return __atomic_load_n(producer_, __ATOMIC_ACQUIRE) - next_; }
  Entry take() { return entries_[next_++ & (size_ - 1)]; }
  void give_back() { __atomic_store_n(consumer_, next_, __ATOMIC_RELEASE); }

 private:
  uint8_t* memory_ = nullptr;
  size_t bytes_ = 0;
  uint32_t *producer_ = nullptr, *consumer_ = nullptr, *flags_ = nullptr;
  Entry* entries_ = nullptr;
  uint32_t size_ = 0;
  uint32_t next_ = 0;  // to be put or taken
};

}  // namespace sluice::port
