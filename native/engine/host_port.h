// SPDX-License-Identifier: Apache-2.0
// The port behind the last one of the route table: what leaves by it, the host's own stack gets (a real server that is
// this host, local_node.cc). Nothing comes in by it.
//
// The packet enters by a TUN device, as if it had come from a network: past the program at ingress, which would take it
// again. The workers share the device.
#pragma once

#include <memory>

#include "host/tun_device.h"
#include "port/port.h"

namespace sluice::engine {

class HostPort final : public port::Port {
 public:
  explicit HostPort(std::shared_ptr<host::TunDevice> device) : device_(std::move(device)) {}

  size_t receive(std::span<director::Frame>) override { return 0; }
  void release() override {}
  void transmit(const director::Frame& frame) override;
  void flush() override {}
  int fd() const override { return -1; }
  bool prepare_to_wait() override { return true; }
  port::PortStatistics statistics() override { return counts_; }

 private:
  std::shared_ptr<host::TunDevice> device_;
  port::PortStatistics counts_;
};

}  // namespace sluice::engine
