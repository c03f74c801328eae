// SPDX-License-Identifier: Apache-2.0
// Hands a packet to the stage that its flow needs: egress, a handshake, forwarding; or admission if it has no flow.
#pragma once

#include "director/handshake/syn_proxy.h"
#include "director/outgoing/transit.h"
#include "director/services/service_table.h"
#include "director/stages/admission.h"
#include "director/stages/egress.h"
#include "director/stages/forwarder.h"
#include "director/stages/icmp.h"
#include "director/states/switches.h"
#include "director/tracking/flow_keeper.h"

namespace sluice::director {

class Dispatch {
 public:
  Dispatch(FlowKeepers flows, ServiceTable& services, SynHandshake& syn_proxy, Forwarder& forwarder, Egress& egress,
           Admission& admission, Icmp& icmp, const Switches& switches)
      : flows_(flows),
        services_(services),
        syn_proxy_(syn_proxy),
        forwarder_(forwarder),
        egress_(egress),
        admission_(admission),
        icmp_(icmp),
        switches_(switches) {}

  // For a packet whose flow has not been looked up: a whole packet, or the first fragment of a datagram.
  template <class A>
  Decision decide_packet(Transit<A>& t);
  // For a packet whose flow has been looked up.
  template <class A>
  Decision known_or_new(Transit<A>& t, FoundFlow<A> found);

 private:
  template <class A>
  bool starts_anew(const Transit<A>& t, const Flow<A>& flow, const Destination& destination) const;
  template <class A>
  Decision replace_flow(Transit<A>& t, Flow<A>& old);

  FlowKeepers flows_;
  ServiceTable& services_;
  SynHandshake& syn_proxy_;
  Forwarder& forwarder_;
  Egress& egress_;
  Admission& admission_;
  Icmp& icmp_;
  const Switches& switches_;
};

}  // namespace sluice::director
