// SPDX-License-Identifier: Apache-2.0
// ICMP: errors about packets of known flows, translated so that their receiver recognises the packet; and echo to
// virtual addresses.
//
// An error quotes the packet that caused it. That packet was sent from here, so the mirrored quotation has the
// addresses of the flow's arriving packets: the lookup is the same as for any packet. An error about a reply (it
// matches the forward half) goes to the real server, an error about a request (it matches the reverse half) goes to the
// client (related_errors.h).
//
// An error about a reply without a known flow may open that flow (schedule_icmp). If several directors share an
// address, and routers spread packets by their addresses, a router's error may reach another director than the client's
// packets; a director that schedules by the client's address then finds the same real server.
//
// Routers within a tunnel send errors about the outer packet to this host. A client sent the inner packet, so the
// client is told about its own packet (RFC 2003, section 4); the tunnel's headers are subtracted from the MTU.
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
