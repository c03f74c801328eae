// SPDX-License-Identifier: Apache-2.0
// A real server that is this host: local_node.cc.
#pragma once

#include "director/flows/flow.h"
#include "director/outgoing/transit.h"
#include "director/outgoing/transmitter.h"

namespace sluice::director {

// Gives a client's packet of the flow to the host's own stack. `translates`: what the stack answers to a translated
// packet comes back to the director.
template <class A>
Reason deliver(Transit<A>& t, const Flow<A>& flow, const RouteTable& routes, bool translates);

}  // namespace sluice::director
