// SPDX-License-Identifier: Apache-2.0
// Sleeping until one of a worker's ports has frames.
#pragma once

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <span>

#include "port/port.h"

namespace sluice::port {

// A worker has no more ports.
inline constexpr size_t max_ports = 64;

// An interface that went down leaves an error on its sockets. Until somebody asks for it, no wait would last.
inline void forget_error(int socket) {
  int told = 0;
  socklen_t size = sizeof told;
  static_cast<void>(::getsockopt(socket, SOL_SOCKET, SO_ERROR, &told, &size));
}

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
  // False when nothing has come: the time is over, or an interface went down, which ends a wait early.
  bool wait(int timeout_ms) {
    if (::poll(watched_.data(), count_, timeout_ms) <= 0) return false;
    bool has_come = has_extra();
    for (const pollfd& one : std::span(watched_).subspan(1, count_ - 1)) {
      has_come |= (one.revents & POLLIN) != 0;
      if ((one.revents & POLLERR) != 0) forget_error(one.fd);
    }
    return has_come;
  }
  bool has_extra() const { return watched_[0].revents != 0; }

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
