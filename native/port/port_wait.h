// SPDX-License-Identifier: Apache-2.0
// Sleeping until one of a worker's ports has frames.
#pragma once

#include <poll.h>

#include <array>
#include <span>

#include "port/port.h"

namespace sluice::port {

// A worker has no more ports.
inline constexpr size_t max_ports = 64;

// In two steps, for a worker that lets others at its ports while it sleeps.
class FrameWait {
 public:
  // Gives all received frames back. False when a port has something to receive, and there is nothing to wait for.
  // `extra`: an eventfd that ends the wait as well; -1: none.
  template <class PortPointer>
  bool prepare(std::span<PortPointer> ports, int extra) {
    watched_[0] = {extra, POLLIN, 0};
    count_ = 1;
    for (const PortPointer& port : ports) {
      port->release();
      if (!port->prepare_to_wait()) return false;
      watched_[count_++] = {port->fd(), POLLIN, 0};
    }
    return true;
  }
  // False when the time is over and nothing has come.
  bool wait(int timeout_ms) { return ::poll(watched_.data(), count_, timeout_ms) > 0; }

 private:
  std::array<pollfd, max_ports + 1> watched_;  // poll passes over a negative descriptor
  nfds_t count_ = 0;
};

// Both steps.
inline bool wait_for_frames(std::span<Port* const> ports, int extra, int timeout_ms) {
  FrameWait wait;
  return !wait.prepare(ports, extra) || wait.wait(timeout_ms);
}

}  // namespace sluice::port
