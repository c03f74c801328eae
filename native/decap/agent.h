// SPDX-License-Identifier: Apache-2.0
// The receiving end of the director's tunnels, for a real server whose kernel has none: one worker (engine/worker.h)
// between the sockets that take tunnelled packets and the TUN device that gives the inner packets to the host.
//
//   network ─▶ host's stack ─▶ TunnelPort ─▶ DecapWork ─▶ TunPort ─▶ host's stack ─▶ server
//                                                                                      │
//   network ◀────────────────────── answers, by the host's routes ◀──────────────────┘
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "decap/decap_work.h"
#include "engine/worker.h"
#include "host/failure.h"

namespace sluice::decap {

class TunPort;

struct AgentOptions {
  std::string device;     // the TUN device to make
  std::string interface;  // on which tunnelled packets arrive; empty: any
  std::vector<wire::Address>
      addresses;  // of the device; if there are any, inner packets for other addresses are dropped
  bool ipip = true, gre = true;
  uint16_t gue_port = 0;  // 0: no GUE
};

// Used by one thread.
class Agent {
 public:
  explicit Agent(AgentOptions options);
  ~Agent() { close(); }
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  // Packets are delivered from now on.
  bool open(host::Failure& failure);
  // Ends the thread and removes sockets, device and addresses. The counts stay.
  void close();

  using Counts = DecapWork::Counts;
  Counts counts() { return look().counts; }
  // Datagrams that were lost because the agent was too slow.
  uint64_t overflows() { return look().overflows; }
  // The TUN device was removed or set down: nothing is delivered.
  bool is_device_lost() { return look().is_device_lost; }

 private:
  struct Report {
    Counts counts{};
    uint64_t overflows = 0;
    bool is_device_lost = false;
  };
  using Ports = std::vector<std::unique_ptr<port::Port>>;
  bool open_tunnels(Ports& ports, host::Failure& failure);
  const Report& look();

  const AgentOptions options_;
  std::vector<uint64_t> counter_words_;  // nobody else reads them
  std::optional<DecapWork> work_;
  std::unique_ptr<engine::Worker> worker_;
  const TunPort* device_ = nullptr;  // the worker's
  Report report_;                    // of the last visit
};

}  // namespace sluice::decap
