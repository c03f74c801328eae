// SPDX-License-Identifier: Apache-2.0
// An AF_XDP socket on one receive queue of a device, with memory of its own (Linux 5.4). The kernel chooses between the
// driver's zero-copy way and copying.
//
// Which frames come is the business of the program in the driver that redirects to the socket.
#pragma once

#include <linux/if_xdp.h>

#include <cstdint>
#include <span>
#include <string>

#include "director/network/frame.h"
#include "port/port.h"
#include "port/xdp_memory.h"
#include "port/xdp_ring.h"

namespace sluice::port {

struct XdpSocketOptions {
  std::string interface;
  int interface_index = 0;
  uint32_t queue = 0;
  director::PortId port = 0;     // in the frames received
  uint32_t chunk_bytes = 2048;   // a power of two, of which the kernel keeps 256 before a received frame
  uint32_t receive_slots = 512;  // powers of two
  uint32_t transmit_slots = 512;
  uint32_t transmit_chunks = 64;  // for frames that come from elsewhere
};

class XdpSocket {
 public:
  XdpSocket() = default;
  XdpSocket(const XdpSocket&) = delete;
  XdpSocket& operator=(const XdpSocket&) = delete;
  ~XdpSocket();

  // False with error().
  bool open(const XdpSocketOptions& options);
  const PortError& error() const { return error_; }
  int fd() const { return fd_; }
  bool is_zero_copy() const { return is_zero_copy_; }

  // As of a Port.
  size_t receive(std::span<director::Frame> frames);
  void release();
  bool prepare_to_wait();
  void flush();
  PortStatistics statistics();

  // Of a frame of at most a chunk's length, with nothing left to a device. False: no room.
  [[nodiscard]] bool transmit(const director::Frame& frame);
  bool owns(const director::Frame& frame) const { return memory_.contains(frame.data); }

 private:
  bool fail(const char* what, const char* call);
  bool set_up(const XdpSocketOptions& options);
  bool map_rings(const XdpSocketOptions& options);
  bool bind(const XdpSocketOptions& options);
  void refill();
  void wake_driver();
  void reap();
  void send();
  bool has_room();

  int fd_ = -1;
  bool is_zero_copy_ = false;
  director::PortId port_ = 0;
  PortError error_;
  XdpMemory memory_;
  XdpRing<uint64_t> fill_, completion_;
  XdpRing<xdp_desc> receive_, transmit_;
  uint32_t receiving_ = 0, receive_slots_ = 0;  // chunks that the kernel has for frames to come
  uint32_t sending_ = 0, transmit_slots_ = 0;   // chunks on their way out
  PortStatistics counts_;
};

}  // namespace sluice::port
