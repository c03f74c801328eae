// SPDX-License-Identifier: Apache-2.0
// What a worker (worker.h) does with the frames of its ports: the director's work, the tunnel exit's, a DNS listener's.
//
// A worker calls its work a few times for each batch and never for a packet, so these calls may be virtual. All of them
// come from one thread at a time: the worker's, or that of a visitor while the worker stands still.
//
// What a frame is, is between the ports and the work. Ports of network interfaces give Ethernet frames; a port of
// datagrams puts a small head in front of each, which says where the datagram came from.
#pragma once

#include <span>

#include "core/time.h"
#include "director/network/frame.h"
#include "engine/statistics.h"

namespace sluice::engine {

class Work {
 public:
  virtual ~Work() = default;

  // What the worker lends for one call.
  struct Turn {
    Time now;
    director::TransmitQueue& out;  // what is put here is sent after the call, and is not changed before the next one
    CounterBlock& counters;
  };

  // Handles a batch that one port has given.
  virtual void receive(std::span<director::Frame> batch, const Turn& turn) = 0;
  // Does a bounded amount of what is due. False when there is more.
  virtual bool advance(const Turn& turn) = 0;
  // Writes a bounded amount of what others read in memory. False when there is more.
  virtual bool publish(Time now, CounterBlock& counters) = 0;
  // When advance() or publish() has something to do next, if nothing comes before.
  virtual Time due() const = 0;
  // The thread ends: what publish() would have written later.
  virtual void finish(CounterBlock& counters) = 0;
};

}  // namespace sluice::engine
