// SPDX-License-Identifier: Apache-2.0
// The slots of a ring that is shared with the kernel: blocks of memory, in each as many slots as fit.
#pragma once

#include <linux/if_packet.h>

#include <cstdint>

namespace sluice::port {

// A slot holds what an Ethernet frame of 1,500 bytes needs, two VLAN tags included; longer frames take another way. An
// odd number of cache lines: with an even one, and most of all with a power of two, the headers of all slots would meet
// in a few sets of the CPU's caches.
inline constexpr uint32_t slot_bytes = 27 * 64;
// Blocks are contiguous memory: small enough to be had on a host that has run for a while.
inline constexpr uint32_t block_bytes = 32 * 4096;
inline constexpr uint32_t slots_a_block = block_bytes / slot_bytes;

inline tpacket_req ring_request(uint32_t slots) {
  tpacket_req request{};
  request.tp_block_size = block_bytes;
  request.tp_frame_size = slot_bytes;
  request.tp_block_nr = (slots + slots_a_block - 1) / slots_a_block;
  request.tp_frame_nr = request.tp_block_nr * slots_a_block;
  return request;
}

// A place in the ring that moves from slot to slot, in the kernel's order.
class SlotCursor {
 public:
  SlotCursor() = default;
  SlotCursor(uint8_t* memory, uint32_t blocks) : memory_(memory), blocks_(blocks), slot_(memory) {}

  uint8_t* data() const { return slot_; }
  tpacket2_hdr& header() const { return *reinterpret_cast<tpacket2_hdr*>(slot_); }
  uint32_t status() const { return __atomic_load_n(&header().tp_status, __ATOMIC_ACQUIRE); }
  void set_status(uint32_t status) { __atomic_store_n(&header().tp_status, status, __ATOMIC_RELEASE); }

  void advance() {
    slot_ += slot_bytes;
    if (++in_block_ < slots_a_block) [[likely]]
      return;
    in_block_ = 0;
    if (++block_ == blocks_) block_ = 0;
    slot_ = memory_ + size_t{block_} * block_bytes;
  }

 private:
  uint8_t* memory_ = nullptr;
  uint32_t blocks_ = 0, block_ = 0, in_block_ = 0;
  uint8_t* slot_ = nullptr;
};

}  // namespace sluice::port
