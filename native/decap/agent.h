// SPDX-License-Identifier: Apache-2.0
// The receiving end of the director's tunnels on a real server whose kernel has none: one thread between the sockets
// that take tunnelled packets and the TUN device that gives the inner ones to the host.
//
//   network ─▶ host's stack ─▶ TunnelSocket ─▶ decapsulate() ─▶ TunDevice ─▶ host's stack ─▶ server
//                                                                                              │
//   network ◀────────────────────── answers, by the host's routes ◀──────────────────────────┘
//
// The thread sleeps until packets are there, and takes a batch of each socket in turn. It writes one packet at a time:
// a TUN device takes no more.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "decap/decapsulate.h"
#include "decap/tunnel_socket.h"
#include "host/descriptor.h"
#include "host/failure.h"
#include "host/tun_device.h"

namespace sluice::decap {

struct AgentOptions {
  std::string device;                    // the TUN device to make
  std::string interface;                 // that tunnelled packets arrive on; any where empty
  std::vector<wire::Address> addresses;  // given to the device; with any, inner packets for others are dropped
  bool ipip = true, gre = true;
  uint16_t gue_port = 0;  // 0: no GUE
};

class Agent {
 public:
  explicit Agent(AgentOptions options) : options_(std::move(options)) {}
  ~Agent() { close(); }
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  // From now on packets are delivered.
  bool open(host::Failure& failure);
  // Ends the thread; sockets, device and addresses go.
  void close();

  using Counts = std::array<uint64_t, reason_count>;
  Counts counts() const;
  // Datagrams that the agent was too slow for.
  uint64_t overflows() const { return overflows_.load(std::memory_order_relaxed); }
  // The TUN device is gone, or was set down: nothing is delivered.
  bool is_device_lost() const { return is_device_lost_.load(std::memory_order_relaxed); }

 private:
  bool open_sockets(host::Failure& failure);
  void run();
  void take(const Arrived& arrived);
  void count(Reason reason, uint64_t packets = 1);

  AgentOptions options_;
  host::TunDevice device_;
  std::vector<TunnelSocket> sockets_;
  ReceiveBuffers buffers_;
  host::Descriptor alarm_;  // an eventfd that ends the thread
  std::thread thread_;
  // Written by the thread alone, read by anybody.
  std::array<std::atomic<uint64_t>, reason_count> counts_{};
  std::atomic<uint64_t> overflows_{0};
  std::atomic<bool> is_device_lost_{false};
};

}  // namespace sluice::decap
