// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "port/port.h"

namespace sluice::port {

// What a system call's error number says of a port that is opened.
PortFault fault_of(int number);

}  // namespace sluice::port
