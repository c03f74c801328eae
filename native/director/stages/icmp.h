// SPDX-License-Identifier: Apache-2.0
// ICMP: errors about packets of known flows, translated so that their receiver knows the packet; echo to virtual
// addresses.
//
// An error quotes the packet that it is about. That packet was on its way away from here, so the quotation mirrored is
// how the flow's packets arrive here: the same lookup as for any packet. An error about a reply (it matches the forward
// half) goes to the real server, an error about a request (it matches the reverse half) goes to the client
// (related_errors.h).
//
// An error about a reply of which no flow is known may open that flow (schedule_icmp): where several directors share an
// address and routers spread packets by their addresses, a router's error reaches another director than the client's
// packets, and one that schedules by the client's address finds the same real server.
//
// A tunnel's routers complain about the outer packet, to this host. The packet inside is one that a client sent; the
// client is told in its own terms (RFC 2003, section 4), with the tunnel's headers taken off the MTU.
#pragma once

#include "director/outgoing/transit.h"
#include "director/outgoing/transmitter.h"
#include "director/services/service_table.h"
#include "director/stages/admission.h"
#include "director/stages/egress.h"
#include "director/stages/neighbours.h"
#include "director/stages/own_addresses.h"
#include "director/stages/related_errors.h"
#include "director/states/switches.h"
#include "director/tracking/flow_keeper.h"

namespace sluice::director {

class Icmp {
 public:
  Icmp(Transmitter& transmitter, FlowKeepers flows, ServiceTable& services, const OwnAddresses& own_addresses,
       Neighbours& neighbours, RelatedErrors& related_errors, Egress& egress, Admission& admission,
       const Switches& switches)
      : transmitter_(transmitter),
        flows_(flows),
        services_(services),
        own_addresses_(own_addresses),
        neighbours_(neighbours),
        related_errors_(related_errors),
        egress_(egress),
        admission_(admission),
        switches_(switches) {}

  template <class A>
  Decision icmp(Transit<A>& t);

 private:
  template <class A>
  Decision answer_echo(Transit<A>& t);
  template <class A>
  Decision related_error(Transit<A>& t);
  template <class A>
  Decision open_for_error(Transit<A>& t, const Endpoints<A>& request, const wire::Packet& inner);
  Decision tunnel_error(Transit<wire::Ipv4Address>& t, wire::MutableBytes quoted, const wire::Packet& outer);

  Transmitter& transmitter_;
  FlowKeepers flows_;
  ServiceTable& services_;
  const OwnAddresses& own_addresses_;
  Neighbours& neighbours_;
  RelatedErrors& related_errors_;
  Egress& egress_;
  Admission& admission_;
  const Switches& switches_;
};

}  // namespace sluice::director
