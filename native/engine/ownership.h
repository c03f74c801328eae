// SPDX-License-Identifier: Apache-2.0
// What belongs to a director, for those who keep it away from the host's own stack.
#pragma once

#include <span>

#include "director/stages/director.h"
#include "host/owned_traffic.h"

namespace sluice::engine {

// Of its services, of real servers as long as flows point at them, of its pools and egress rules. Services by firewall
// mark have packets by the rules of marks; `interfaces` are those of the ports that rules may ask for.
host::OwnedTraffic owned_traffic_of(const director::Director& director, uint16_t workers,
                                    std::span<const uint32_t> interfaces);

}  // namespace sluice::engine
