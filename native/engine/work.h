// SPDX-License-Identifier: Apache-2.0
// What a worker (worker.h) does with the frames of its ports: the work of a director, of a tunnel exit, of a DNS
// listener.
//
// A worker calls its work a few times per batch and never per packet, so these calls may be virtual. All calls come
// from one thread at a time: the worker's, or a visitor's while the worker stands still.
//
// The ports and the work agree on what a frame is. Ports of network interfaces give Ethernet frames. A port of
// datagrams puts a small head in front of each datagram, which says where it came from.
#pragma once

#include <span>

#include "core/time.h"
#include "director/network/frame.h"
#include "engine/statistics.h"

namespace sluice::engine {

class Work {
 public:
  virtual ~Work() = default;

  // What the worker provides for one call.
  struct Turn {
    Time now;
    director::TransmitQueue& out;  // frames put here are sent after the call, and must not change before the next call
    CounterBlock& counters;
  };

  // Handles a batch from one port.
  virtual void receive(std::span<director::Frame> batch, const Turn& turn) = 0;
  // Does a bounded amount of the work that is due. False if there is more.
  virtual bool advance(const Turn& turn) = 0;
  // Writes a bounded amount of what other threads read. False if there is more.
  virtual bool publish(Time now, CounterBlock& counters) = 0;
  // When advance() or publish() next has something to do, if no frame comes earlier.
  virtual Time due() const = 0;
  // The thread ends: writes what publish() has not written yet.
  virtual void finish(CounterBlock& counters) = 0;
};

}  // namespace sluice::engine
