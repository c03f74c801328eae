// SPDX-License-Identifier: Apache-2.0
// The flows of a director that has gone come back into the tables of another (saved_flows.h).
#pragma once

#include "director/tracking/flow_keeper.h"
#include "director/tracking/saved_flows.h"

namespace sluice::director {

// As far as the flows' services and real servers are configured here. Once, before the first frame.
Restored restore_flows(const SavedFlows& saved_flows, FlowKeepers flows, ServiceTable& services, LocalPools& pools,
                       SplicedFlows& spliced, Time now);

}  // namespace sluice::director
