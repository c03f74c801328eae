// SPDX-License-Identifier: Apache-2.0
#include "director/tracking/restore.h"

#include <unordered_map>

#include "director/states/sctp_state.h"
#include "director/states/tcp_state.h"
#include "wire/protocol.h"

namespace sluice::director {

namespace {

// The way back of one family's flows into a table.
template <class A>
class Return {
 public:
  Return(FlowKeeper<A>& keeper, ServiceTable& services, LocalPools& pools, SplicedFlows& spliced,
         const SavedFlows& saved_flows, Time now)
      : keeper_(keeper), services_(services), pools_(pools), spliced_(spliced), saved_flows_(saved_flows), now_(now) {}

  // Templates first: flows are held by them.
  void all(std::span<const Flow<A>> flows, Restored& restored) {
    for (const bool templates : {true, false}) {
      for (size_t index = 0; index < flows.size(); index++) {
        const Flow<A>& flow = flows[index];
        if (!FlowTable<A>::was_live(flow) || flow.is_template() != templates) continue;
        if (is_due(flow.deadline, tick_at(now_)) || (flow.flags & flow_flag::one_packet) != 0) {
          restored.over++;
        } else if (one(flow, static_cast<uint32_t>(index))) {
          restored.flows++;
        } else {
          restored.lost++;
        }
      }
    }
  }

 private:
  bool one(const Flow<A>& before, uint32_t index) {
    Flow<A> flow = before;
    if (!is_state(flow)) return false;
    Destination* destination = nullptr;
    if (flow.destination != no_destination) {
      destination = find(flow.destination);
      if (destination == nullptr) return false;
    }
    if ((flow.flags & flow_flag::has_local) != 0) {
      flow.mark = pools_.claim<A>({flow.local(), flow.local_port()});
      if (flow.mark == no_pool) return false;
    }
    if ((flow.flags & flow_flag::spliced) != 0 && !take_spliced(flow, index)) return false;
    flow.destination = no_destination;
    flow.control = no_flow;
    Flow<A>* const opened = keeper_.open(flow, destination, flow.deadline);
    if (opened == nullptr) {
      if ((flow.flags & flow_flag::spliced) != 0) spliced_.release(flow.spliced);
      return false;
    }
    settle(*opened, before, index);
    return true;
  }

  void settle(Flow<A>& flow, const Flow<A>& before, uint32_t index) {
    const uint32_t now_at = keeper_.table().index_of(flow);
    if (flow.is_template()) {
      templates_[index] = now_at;
      return;
    }
    if (const auto control = templates_.find(before.control); control != templates_.end()) {
      keeper_.hold_template(flow, keeper_.table().at(control->second));
    }
    if ((before.flags & flow_flag::inactive) == 0) keeper_.set_active(flow, true);
    if (flow.protocol != wire::protocol::tcp) return;
    if (is_half_open(static_cast<TcpState>(flow.state))) keeper_.count_half_open(flow, +1);
    if ((flow.flags & flow_flag::spliced) == 0) return;
    SplicedFlow& spliced = spliced_[flow.spliced];
    spliced.flow = now_at;
    if (spliced.phase == SplicedFlow::Phase::greeting) {
      spliced_.wait_for_answer(flow.spliced, now_);
    } else if (spliced.announcement.header.phase == InsertedHeader::Phase::sent) {
      spliced_.wait_for_acknowledgement(flow.spliced, now_);
    }
  }

  bool take_spliced(Flow<A>& flow, uint32_t index) {
    if (flow.spliced >= saved_flows_.spliced.size()) return false;
    SplicedFlow spliced = saved_flows_.spliced[flow.spliced];
    if (spliced.flow != index || spliced.family != A::family) return false;
    spliced.queue = 0;
    flow.spliced = spliced_.take(spliced);
    return flow.spliced != SplicedFlows::none;
  }

  Destination* find(uint32_t number) const {
    if (number >= saved_flows_.destinations.size()) return nullptr;
    const DestinationIdentity& identity = saved_flows_.destinations[number];
    const Service* const service = services_.find(identity.home);
    return service == nullptr ? nullptr : services_.find_destination(*service, identity.address, identity.port);
  }

  static bool is_state(const Flow<A>& flow) {
    if (flow.is_template()) return true;
    if (flow.protocol == wire::protocol::tcp) return flow.state < tcp_state_count;
    return flow.protocol != wire::protocol::sctp || flow.state < sctp_state_count;
  }

  FlowKeeper<A>& keeper_;
  ServiceTable& services_;
  LocalPools& pools_;
  SplicedFlows& spliced_;
  const SavedFlows& saved_flows_;
  const Time now_;
  std::unordered_map<uint32_t, uint32_t> templates_;  // where they were → where they are
};

}  // namespace

Restored restore_flows(const SavedFlows& saved_flows, FlowKeepers flows, ServiceTable& services, LocalPools& pools,
                       SplicedFlows& spliced, Time now) {
  Restored restored;
  Return(flows.of<wire::Ipv4Address>(), services, pools, spliced, saved_flows, now).all(saved_flows.flows4, restored);
  Return(flows.of<wire::Ipv6Address>(), services, pools, spliced, saved_flows, now).all(saved_flows.flows6, restored);
  return restored;
}

}  // namespace sluice::director
