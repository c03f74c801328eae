// SPDX-License-Identifier: Apache-2.0
// The TUN device (host/tun_device.h) as a worker's port: frames that leave by it enter the host's stack. Nothing
// arrives by this port: packets that the host sends to the device are not read.
//
// A frame is an IP packet. If its transport checksum is still to be computed, `checksum` says so and `mark` says where
// (framed()).
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
  // Creates the device, gives it the addresses and sets it up.
  bool open(const std::string& name, const std::vector<wire::Address>& addresses, host::Failure& failure) {
    return device_.open(name, addresses, failure);
  }

  // Makes a frame of the packet. `number` is the number of this port.
  static director::Frame framed(const Inner& inner, director::PortId number);

  size_t receive(std::span<director::Frame>) override { return 0; }
  void release() override {}
  void transmit(const director::Frame& frame) override;
  void flush() override {}
  int fd() const override { return -1; }
  bool prepare_to_wait() override { return true; }
  port::PortStatistics statistics() override { return counted_; }

  // True if the device was removed or set down: nothing is delivered. For any thread.
  bool is_lost() const { return is_lost_.load(std::memory_order_relaxed); }

 private:
  host::TunDevice device_;
  port::PortStatistics counted_;
  std::atomic<bool> is_lost_ = false;
};

}  // namespace sluice::decap
