// SPDX-License-Identifier: Apache-2.0
// The port through which inner packets enter the host's stack, as if they had come from a network: a TUN device. The
// device lives as long as this object or its process, whatever ends it, and its addresses live as long as it. Nothing
// comes by this port: what the host sends to the device is not read.
//
// A frame is an IP packet. Where its transport checksum is still to be computed, `checksum` says so and `mark` says
// where (framed()).
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "decap/decapsulate.h"
#include "host/descriptor.h"
#include "host/failure.h"
#include "port/port.h"
#include "port/virtio_header.h"

namespace sluice::decap {

class TunPort final : public port::Port {
 public:
  // Makes the device, gives it the addresses and sets it up.
  bool open(const std::string& name, const std::vector<wire::Address>& addresses, host::Failure& failure);

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
  host::Descriptor descriptor_;
  port::PortStatistics counted_;
  std::atomic<bool> is_lost_ = false;
};

}  // namespace sluice::decap
