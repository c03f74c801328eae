// SPDX-License-Identifier: Apache-2.0
// Restores the flows of an ended process into a director's tables (saved_flows.h).
#pragma once

#include "director/tracking/flow_keeper.h"
#include "director/tracking/saved_flows.h"

namespace sluice::director {

// Restores flows whose services and real servers are configured here. To be called once, before the first frame.
Restored restore_flows(const SavedFlows& saved_flows, FlowKeepers flows, ServiceTable& services, LocalPools& pools,
                       SplicedFlows& spliced, Time now);

}  // namespace sluice::director
