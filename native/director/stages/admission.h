// SPDX-License-Identifier: Apache-2.0
// Decides about packets that may open a flow: whether they may, for which virtual service, to which real server.
#pragma once

#include "director/handshake/syn_proxy.h"
#include "director/network/firewall_marks.h"
#include "director/outgoing/transit.h"
#include "director/outgoing/transmitter.h"
#include "director/services/service_table.h"
#include "director/stages/egress.h"
#include "director/stages/forwarder.h"
#include "director/stages/own_addresses.h"
#include "director/stages/related_errors.h"
#include "director/states/switches.h"
#include "director/tracking/defence.h"
#include "director/tracking/flow_keeper.h"

namespace sluice::director {

class Admission {
 public:
  Admission(const Transmitter& transmitter, FlowKeepers flows, ServiceTable& services, const FirewallMarks& marks,
            const OwnAddresses& own_addresses, Defence& defence, SynHandshake& syn_proxy, Forwarder& forwarder,
            RelatedErrors& related_errors, Egress& egress, const Switches& switches)
      : transmitter_(transmitter),
        flows_(flows),
        services_(services),
        marks_(marks),
        own_addresses_(own_addresses),
        defence_(defence),
        syn_proxy_(syn_proxy),
        forwarder_(forwarder),
        related_errors_(related_errors),
        egress_(egress),
        switches_(switches) {}

  // A packet without a flow.
  template <class A>
  Decision open_flow(Transit<A>& t);
  // A packet that opens a flow of the service, unless a limit or the scheduler refuses it. `proven`: its client has
  // answered the SYN proxy, and the packet is that answer.
  template <class A>
  Decision admit(Transit<A>& t, Service& service, ProvenClient* proven);
  // Gives the frame a firewall mark by the rules, unless it came with one.
  template <class A>
  void mark(const Transit<A>& t) const;

 private:
  template <class A>
  Decision admit_proven(Transit<A>& t, Service& service, ProvenClient& proven);
  template <class A>
  bool admits_source(const Transit<A>& t, Service& service);
  template <class A>
  Destination* ask_scheduler(const Transit<A>& t, Service& service);
  template <class A>
  Decision schedule(Transit<A>& t, Service& service, ProvenClient* proven);
  template <class A>
  Decision schedule_persistent(Transit<A>& t, Service& service, ProvenClient* proven);
  template <class A>
  bool keeps_its_server(const Flow<A>& control) const;
  template <class A>
  Decision open_to(Transit<A>& t, Service& service, Destination& destination, uint16_t port, Flow<A>* control,
                   Reason reason, ProvenClient* proven);
  template <class A>
  Decision send_first(Transit<A>& t, Flow<A>& flow, Reason reason);
  template <class A>
  Decision leave(Transit<A>& t, const Service& service);

  const Transmitter& transmitter_;  // for its route table
  FlowKeepers flows_;
  ServiceTable& services_;
  const FirewallMarks& marks_;
  const OwnAddresses& own_addresses_;
  Defence& defence_;
  SynHandshake& syn_proxy_;
  Forwarder& forwarder_;
  RelatedErrors& related_errors_;
  Egress& egress_;
  const Switches& switches_;
};

}  // namespace sluice::director
