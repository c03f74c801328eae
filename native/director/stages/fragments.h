// SPDX-License-Identifier: Apache-2.0
// Fragments: the first is decided like any packet, the later ones follow it (fragment_table.h).
//
// The five-tuple of the first fragment is kept: a later fragment looks the flow up again by it, so that it cannot
// follow a flow that has ended meanwhile.
#pragma once

#include "director/flows/fragment_table.h"
#include "director/network/firewall_marks.h"
#include "director/outgoing/transit.h"
#include "director/outgoing/transmitter.h"
#include "director/pools/local_pools.h"
#include "director/services/service_table.h"
#include "director/stages/dispatch.h"
#include "director/stages/egress.h"
#include "director/stages/forwarder.h"
#include "director/tracking/flow_keeper.h"

namespace sluice::director {

struct FragmentLimits {
  uint32_t datagrams, chunks;  // of each family, as in FragmentTableOptions
  uint64_t seed;
};

class Fragments {
 public:
  Fragments(const FragmentLimits& limits, Transmitter& transmitter, FlowKeepers flows, const ServiceTable& services,
            const LocalPools& pools, const FirewallMarks& marks, const Egress& egress, Forwarder& forwarder,
            Dispatch& dispatch);

  template <class A>
  Decision fragment(Transit<A>& t);
  // Datagrams of which some fragments have come and others have not.
  uint32_t datagrams_in_pieces() const { return fragments4_.size() + fragments6_.size(); }

 private:
  template <class A>
  bool may_be_marked(const Transit<A>& t) const;
  template <class A>
  bool is_for_host_alone(const Transit<A>& t) const;
  template <class A>
  bool may_concern_flows(const Transit<A>& t) const;
  template <class A>
  void pass_on(Transit<A>& t);
  template <class A>
  Decision first_fragment(Transit<A>& t, const FragmentKey<A>& key);
  template <class A>
  Decision follow(Transit<A>& t, uint64_t decision);
  template <class A>
  FragmentTable<A>& fragments() {
    if constexpr (A::family == wire::Family::ipv4) {
      return fragments4_;
    } else {
      return fragments6_;
    }
  }

  FragmentTable<wire::Ipv4Address> fragments4_;
  FragmentTable<wire::Ipv6Address> fragments6_;
  Transmitter& transmitter_;
  FlowKeepers flows_;
  const ServiceTable& services_;
  const LocalPools& pools_;
  const FirewallMarks& marks_;
  const Egress& egress_;
  Forwarder& forwarder_;
  Dispatch& dispatch_;
};

}  // namespace sluice::director
