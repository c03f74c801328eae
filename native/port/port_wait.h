// SPDX-License-Identifier: Apache-2.0
// Sleeping until one of a worker's ports has frames.
#pragma once

#include <span>

#include "port/port.h"

namespace sluice::port {

// Gives all received frames back, then sleeps until a port has something to receive or `extra` (an eventfd that wakes
// the worker; -1: none) is readable. At most 15 ports. False when the time is over and nothing has come.
bool wait_for_frames(std::span<Port* const> ports, int extra, int timeout_ms);

}  // namespace sluice::port
