// SPDX-License-Identifier: Apache-2.0
// A port made of memory: what arrives is put in, what is sent is kept to be looked at.
#pragma once

#include <deque>
#include <vector>

#include "port/owned_frame.h"
#include "port/port.h"

namespace sluice::port {

class MemoryPort final : public Port {
 public:
  explicit MemoryPort(director::PortId port = 0) : port_(port) {}

  // A frame arrives, or as many as there is room for: with a limit, those beyond it are dropped as a full ring does.
  void arrive(wire::Bytes bytes) { arrive(OwnedFrame(bytes)); }
  void arrive(OwnedFrame frame);
  void set_limit(size_t waiting) { limit_ = waiting; }

  // What has been sent and flushed, in order.
  const std::vector<OwnedFrame>& sent() const { return sent_; }
  void forget_sent() { sent_.clear(); }

  size_t receive(std::span<director::Frame> frames) override;
  void release() override { received_.clear(); }
  void transmit(const director::Frame& frame) override { pending_.push_back(frame); }
  void flush() override;
  int fd() const override { return -1; }
  bool prepare_to_wait() override { return waiting_.empty(); }
  PortStatistics statistics() override { return counts_; }

 private:
  const director::PortId port_;
  size_t limit_ = SIZE_MAX;
  std::deque<OwnedFrame> waiting_;
  std::vector<OwnedFrame> received_;
  std::vector<director::Frame> pending_;
  std::vector<OwnedFrame> sent_;
  PortStatistics counts_;
};

}  // namespace sluice::port
