// SPDX-License-Identifier: Apache-2.0
#include "port/memory_port.h"

#include <utility>

namespace sluice::port {

void MemoryPort::arrive(OwnedFrame frame) {
  if (waiting_.size() < limit_)
    waiting_.push_back(std::move(frame));
  else
    ++counts_.kernel_drops;
}

size_t MemoryPort::receive(std::span<director::Frame> frames) {
  release();
  while (received_.size() < frames.size() && !waiting_.empty()) {
    received_.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
    director::Frame& frame = frames[received_.size() - 1];
    frame = received_.back().frame();
    frame.port = port_;
    counts_.received_bytes += frame.length;
  }
  counts_.received += received_.size();
  return received_.size();
}

void MemoryPort::flush() {
  for (const director::Frame& frame : pending_) {
    sent_.emplace_back(frame);
    ++counts_.transmitted;
    counts_.transmitted_bytes += frame.length;
  }
  pending_.clear();
}

}  // namespace sluice::port
