// SPDX-License-Identifier: Apache-2.0
// Stands in for a port whose interface does not exist: it receives nothing and transmits nothing.
#pragma once

#include "port/port.h"

namespace sluice::engine {

class AbsentPort final : public port::Port {
 public:
  size_t receive(std::span<director::Frame>) override { return 0; }
  void release() override {}
  void transmit(const director::Frame&) override { counts_.send_failures++; }
  void flush() override {}
  int fd() const override { return -1; }
  bool prepare_to_wait() override { return true; }
  port::PortStatistics statistics() override { return counts_; }

 private:
  port::PortStatistics counts_;
};

}  // namespace sluice::engine
