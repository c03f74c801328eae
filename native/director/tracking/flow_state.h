// SPDX-License-Identifier: Apache-2.0
// What a packet changes in its flow: the state, the time that the flow lives after the packet, and the counters of its
// real server.
#pragma once

#include "director/outgoing/transit.h"
#include "director/services/service_table.h"
#include "director/states/timeouts.h"
#include "director/tracking/defence.h"
#include "director/tracking/flow_keeper.h"

namespace sluice::director {

// The sender of a packet: the side that opened the flow, or the other side.
enum class Seen : uint8_t { from_client, from_server };

class FlowStates {
 public:
  FlowStates(FlowKeepers flows, ServiceTable& services, const Timeouts& timeouts, const Defence& defence)
      : flows_(flows), services_(services), timeouts_(timeouts), defence_(defence) {}

  template <class A>
  void count_packet(const Transit<A>& t, const Flow<A>& flow, bool to_real_server);
  template <class A>
  void advance_state(const Transit<A>& t, Flow<A>& flow, Seen seen);

 private:
  Time timeout_of(uint8_t protocol, uint8_t state) const;

  FlowKeepers flows_;
  ServiceTable& services_;
  const Timeouts& timeouts_;
  const Defence& defence_;
};

}  // namespace sluice::director
