// SPDX-License-Identifier: Apache-2.0
// The NAT gateway: connections that servers open leave with an address and port of a pool.
//
// A packet from a source network to a destination that is not a service opens an egress flow: forward is the server's
// packet (server -> remote), reverse is the answer (remote -> local). TCP and UDP flows have the states of the
// connections that IPVS tracks; ICMP echo has its identifier in the place of a port. A place in the pool serves any
// number of remote ends. Flows end as others do: by their state's timeout.
#pragma once

#include <optional>
#include <vector>

#include "director/outgoing/transmitter.h"
#include "director/pools/local_pools.h"
#include "director/services/service_table.h"
#include "director/stages/forwarder.h"
#include "director/stages/local_node.h"
#include "director/stages/own_addresses.h"
#include "director/states/switches.h"
#include "director/tracking/flow_keeper.h"

namespace sluice::director {

// Connections that servers of this network open leave by the pool.
struct EgressRule {
  wire::Address network;
  uint8_t prefix_length = 0;
  uint32_t pool = no_pool;
};

class Egress {
 public:
  Egress(Transmitter& transmitter, FlowKeepers flows, const ServiceTable& services, const LocalPools& pools,
         const OwnAddresses& own_addresses, const LocalNode& local_node, Forwarder& forwarder, const Switches& switches)
      : transmitter_(transmitter),
        flows_(flows),
        services_(services),
        pools_(pools),
        own_addresses_(own_addresses),
        local_node_(local_node),
        forwarder_(forwarder),
        switches_(switches) {}

  void set_rules(std::vector<EgressRule> rules) { rules_ = std::move(rules); }
  const std::vector<EgressRule>& rules() const { return rules_; }

  // The rule for a server with this address; nullptr if there is none.
  template <class A>
  const EgressRule* egress_rule(const A& source) const;
  // A packet of an egress flow.
  template <class A>
  Decision egress(Transit<A>& t, FoundFlow<A> found);
  // A packet without a flow and a service.
  template <class A>
  Decision without_service(Transit<A>& t);
  // An echo message that is not addressed to the director.
  template <class A>
  Decision echo_through_gateway(Transit<A>& t, bool is_request);

 private:
  template <class A>
  bool may_leave_to(const A& destination) const;
  template <class A>
  Decision open_egress(Transit<A>& t, const EgressRule& rule);
  template <class A>
  std::optional<Reason> answer_real_server(Transit<A>& t);

  Transmitter& transmitter_;
  FlowKeepers flows_;
  const ServiceTable& services_;
  const LocalPools& pools_;
  const OwnAddresses& own_addresses_;
  const LocalNode& local_node_;
  Forwarder& forwarder_;
  const Switches& switches_;
  std::vector<EgressRule> rules_;
};

}  // namespace sluice::director
