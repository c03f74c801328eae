// SPDX-License-Identifier: Apache-2.0
#include "port/port_wait.h"

#include <poll.h>

#include <array>

namespace sluice::port {

bool wait_for_frames(std::span<Port* const> ports, int extra, int timeout_ms) {
  std::array<pollfd, 16> watched{};
  nfds_t count = 0;
  watched[count++] = {extra, POLLIN, 0};  // poll passes over a negative descriptor
  for (Port* const port : ports) {
    port->release();
    if (!port->prepare_to_wait()) return true;
    if (count < watched.size()) watched[count++] = {port->fd(), POLLIN, 0};
  }
  return ::poll(watched.data(), count, timeout_ms) > 0;
}

}  // namespace sluice::port
