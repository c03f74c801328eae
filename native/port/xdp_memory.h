// SPDX-License-Identifier: Apache-2.0
// The memory that an AF_XDP socket shares with the kernel (UMEM), in chunks of one size, and who has which chunk.
//
//          take()               the kernel, by the fill ring
//   free ─────────▶ receiving ─────────────────────────────▶ held (a received frame) ──release()──▶ free
//   free ─────────▶ sending, and held ──send()──▶ held and sending ──▶ free when neither is true any more
#pragma once

#include <cstdint>
#include <vector>

namespace sluice::port {

class XdpMemory {
 public:
  XdpMemory() = default;
  XdpMemory(const XdpMemory&) = delete;
  XdpMemory& operator=(const XdpMemory&) = delete;
  ~XdpMemory();

  // False with errno. `chunk_bytes` is a power of two.
  bool allocate(uint32_t chunk_bytes, uint32_t chunks);

  uint8_t* data() const { return data_; }
  uint64_t bytes() const { return uint64_t{chunk_bytes_} * static_cast<uint32_t>(states_.size()); }
  uint32_t chunk_bytes() const { return chunk_bytes_; }

  bool is_empty() const { return free_.empty(); }
  // The address of a free chunk within the memory; there is one.
  uint64_t take() {
    const uint32_t chunk = free_.back();
    free_.pop_back();
    return uint64_t{chunk} * chunk_bytes_;
  }
  // A frame has come; its address may be anywhere in a chunk.
  void hold(uint64_t address) {
    held_.push_back(chunk_of(address));
    states_[held_.back()] |= held;
  }
  // Frames that came are not looked at any more.
  void release();
  // A frame that leaves in a chunk that was taken, or in the one that it came in.
  void send(uint64_t address) { states_[chunk_of(address)] |= sending; }
  void is_sent(uint64_t address) {
    const uint32_t chunk = chunk_of(address);
    states_[chunk] &= static_cast<uint8_t>(~sending);
    if (states_[chunk] == 0) free_.push_back(chunk);
  }
  bool contains(const uint8_t* at) const { return at >= data_ && at < data_ + bytes(); }
  // A frame that came here can leave from where it lies: once.
  bool can_send_from(const uint8_t* at, uint32_t length) const {
    if (!contains(at)) return false;
    const auto address = static_cast<uint64_t>(at - data_);
    return states_[chunk_of(address)] == held && chunk_of(address + length - 1) == chunk_of(address);
  }

 private:
  static constexpr uint8_t held = 1, sending = 2;
  uint32_t chunk_of(uint64_t address) const { return static_cast<uint32_t>(address / chunk_bytes_); }

  uint8_t* data_ = nullptr;
  uint32_t chunk_bytes_ = 1;
  std::vector<uint8_t> states_;  // by chunk
  std::vector<uint32_t> free_, held_;
};

}  // namespace sluice::port
