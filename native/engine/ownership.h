// SPDX-License-Identifier: Apache-2.0
// What belongs to a director, for those who keep it away from the host's own stack.
#pragma once

#include "host/belongings.h"
#include "lvs/director.h"

namespace sluice::engine {

// Of its services, of real servers as long as flows point at them, of its pools and egress rules. Services by firewall
// mark are none of it: what carries the mark is known where marks are given.
host::Belongings belongings_of(const lvs::Director& director, uint16_t workers);

}  // namespace sluice::engine
