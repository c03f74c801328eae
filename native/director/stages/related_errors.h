// SPDX-License-Identifier: Apache-2.0
// ICMP errors about packets of known flows, translated so that their receiver recognises the packet.
//
// An error about a reply goes to the real server and quotes what the real server had sent, the flow's reverse half; an
// error about a request goes to the client and quotes what the client had sent, the forward half.
#pragma once

#include "director/flows/spliced_flows.h"
#include "director/outgoing/transit.h"
#include "director/outgoing/transmitter.h"
#include "director/services/service_table.h"
#include "director/stages/forwarder.h"
#include "director/stages/local_node.h"
#include "director/tracking/flow_state.h"
#include "wire/checksum.h"
#include "wire/icmp.h"

namespace sluice::director {

inline constexpr size_t icmp_header_length = wire::IcmpView::header_length;

template <class A>
bool icmp_checksum_ok(const Transit<A>& t) {
  // A partial checksum cannot be wrong, because a device has yet to compute it.
  if (t.frame.checksum == TransportChecksum::partial) return true;
  wire::Sum start = 0;
  if constexpr (A::family == wire::Family::ipv6) {
    start = wire::pseudo_header_sum(t.endpoints.source, t.endpoints.destination, wire::protocol::icmpv6,
                                    t.packet.l4_length());
  }
  return wire::fold(wire::sum_bytes(t.transport(), start)) == 0xffff;
}

class RelatedErrors {
 public:
  RelatedErrors(Transmitter& transmitter, ServiceTable& services, const SplicedFlows& spliced, FlowStates& states,
                const LocalNode& local_node, Forwarder& forwarder)
      : transmitter_(transmitter),
        services_(services),
        spliced_(spliced),
        states_(states),
        local_node_(local_node),
        forwarder_(forwarder) {}

  // `inner`: the packet that the error quotes, a reply or a request of the flow.
  template <class A>
  Decision carry_error(Transit<A>& t, Flow<A>& flow, const wire::Packet& inner, bool is_about_reply);

 private:
  template <class A>
  Decision translate_error(Transit<A>& t, Flow<A>& flow, const Endpoints<A>& outer, const Endpoints<A>& quotation,
                           const wire::Packet& inner, bool to_real_server);
  template <class A>
  Decision forward_related(Transit<A>& t, Flow<A>& flow);

  Transmitter& transmitter_;
  ServiceTable& services_;
  const SplicedFlows& spliced_;
  FlowStates& states_;
  const LocalNode& local_node_;
  Forwarder& forwarder_;
};

}  // namespace sluice::director
