// SPDX-License-Identifier: Apache-2.0
// Packets of spliced flows (flows/spliced_flows.h), each in the numbers that its receiver knows.
#pragma once

#include "director/flows/spliced_flows.h"
#include "director/outgoing/transit.h"
#include "director/tracking/flow_state.h"

namespace sluice::director {

// A packet whose addresses have been rewritten for its receiver: puts it into the numbers that the receiver knows.
template <class A>
void splice(const Transit<A>& t, const SplicedFlow& spliced, Seen seen);

// Puts the TCP header that an ICMP error quotes, as far as the error quotes it, into the numbers of the packet's
// sender: by its sequence number a host tells an error about its own packets from a forged one (RFC 5927).
void unsplice_quotation(const SplicedFlow& spliced, wire::MutableBytes quoted, bool is_about_reply);

}  // namespace sluice::director
