// SPDX-License-Identifier: Apache-2.0
// Translates packets of spliced flows (flows/spliced_flows.h) into the numbers that their receiver knows.
#pragma once

#include "director/flows/spliced_flows.h"
#include "director/outgoing/transit.h"
#include "director/tracking/flow_state.h"

namespace sluice::director {

// For a packet whose addresses have already been rewritten for its receiver.
template <class A>
void splice(const Transit<A>& t, const SplicedFlow& spliced, Seen seen);

// Translates the TCP header that an ICMP error quotes, as far as it is quoted, back to the numbers of the packet's
// sender. By the sequence number a host distinguishes an error about its own packets from a forged one (RFC 5927).
void unsplice_quotation(const SplicedFlow& spliced, wire::MutableBytes quoted, bool is_about_reply);

}  // namespace sluice::director
