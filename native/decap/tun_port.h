// SPDX-License-Identifier: Apache-2.0
// The TUN device (host/tun_device.h) as a worker's port: what leaves by it enters the host's stack. Nothing comes by
// this port: what the host sends to the device is not read.
//
// A frame is an IP packet. Where its transport checksum is still to be computed, `checksum` says so and `mark` says
// where (framed()).
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "decap/decapsulate.h"
#include "host/failure.h"
#include "host/tun_device.h"
#include "port/port.h"

namespace sluice::decap {

class TunPort final : public port::Port {
 public:
  // Makes the device, gives it the addresses and sets it up.
  bool open(const std::string& name, const std::vector<wire::Address>& addresses, host::Failure& failure) {
    return device_.open(name, addresses, failure);
  }

  // The packet as a frame that leaves by this port, whose number is `number`.
  static director::Frame framed(const Inner& inner, director::PortId number);

  size_t receive(std::span<director::Frame>) override { return 0; }
  void release() override {}
  void transmit(const director::Frame& frame) override;
  void flush() override {}
  int fd() const override { return -1; }
  bool prepare_to_wait() override { return true; }
  port::PortStatistics statistics() override { return counted_; }

  // The device is gone, or was set down: nothing is delivered. For any thread.
  bool is_lost() const { return is_lost_.load(std::memory_order_relaxed); }

 private:
  host::TunDevice device_;
  port::PortStatistics counted_;
  std::atomic<bool> is_lost_ = false;
};

}  // namespace sluice::decap
