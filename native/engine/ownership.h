// SPDX-License-Identifier: Apache-2.0
// What belongs to directors that are configured like this, for those who keep it away from the host's own stack.
#pragma once

#include <span>

#include "engine/configuration.h"
#include "host/owned_traffic.h"

namespace sluice::engine {

// Of services, of real servers as long as flows may point at them, of pools and egress rules. Services by firewall
// mark have packets by the rules of marks; `interfaces` are those of the ports that rules may ask for.
host::OwnedTraffic owned_traffic_of(const Configuration& configuration, uint16_t workers,
                                    std::span<const uint32_t> interfaces);

}  // namespace sluice::engine
