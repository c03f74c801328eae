// SPDX-License-Identifier: Apache-2.0
#include "director/tracking/restore.h"

#include <cstring>
#include <unordered_map>

#include "director/outgoing/proxy_header.h"
#include "director/states/sctp_state.h"
#include "director/states/tcp_state.h"
#include "wire/protocol.h"

namespace sluice::director {

namespace {

constexpr uint16_t optional_flags = flow_flag::inactive | flow_flag::no_output;
constexpr uint16_t tcp_flags = flow_flag::tells_client | flow_flag::spliced | flow_flag::announces;

// Checks the flags against the rest of the record. A record that was being written when the process was killed breaks
// one of these rules, and so does memory that no director has written.
template <class A>
bool has_sound_flags(const Flow<A>& flow) {
  const uint16_t flags = flow.flags & static_cast<uint16_t>(~optional_flags);
  const bool has_server = flow.destination != no_destination;
  if (flow.is_template()) return flags == flow_is_template && has_server;
  if ((flags & flow_flag::egress) != 0) {
    return flags == (flow_flag::egress | flow_has_reverse | flow_flag::has_local) && !has_server;
  }
  // The flow was in the table, but not yet bound to its real server.
  if (!has_server) return false;
  const uint16_t beyond_mode = flags & static_cast<uint16_t>(~flow_flag::mode_mask);
  const uint16_t of_tcp = flow.protocol == wire::protocol::tcp ? tcp_flags : uint16_t{0};
  const uint16_t mode = flags & flow_flag::mode_mask;
  if (mode == mode_bits(Forwarding::nat)) {
    const uint16_t possible = of_tcp & static_cast<uint16_t>(~flow_flag::tells_client);
    return (beyond_mode & static_cast<uint16_t>(~possible)) == flow_has_reverse;
  }
  if (mode == mode_bits(Forwarding::fullnat)) {
    return (beyond_mode & static_cast<uint16_t>(~of_tcp)) == (flow_has_reverse | flow_flag::has_local);
  }
  const bool is_one_way = mode == mode_bits(Forwarding::dr) || mode == mode_bits(Forwarding::tunnel) ||
                          mode == mode_bits(Forwarding::local);
  return is_one_way && beyond_mode == 0;
}

template <class A>
bool has_sound_state(const Flow<A>& flow) {
  if (flow.is_template()) return flow.state <= template_state::assured;
  if (flow.protocol == wire::protocol::tcp) return flow.state < tcp_state_count;
  if (flow.protocol == wire::protocol::sctp) return flow.state < sctp_state_count;
  return flow.state == 0;
}

// Whether the two halves fit together.
template <class A>
bool has_sound_halves(const Flow<A>& flow) {
  if (flow.is_template()) return true;
  if ((flow.flags & flow_flag::egress) != 0) {
    return flow.reverse.source == flow.forward.destination && flow.reverse.source_port == flow.forward.destination_port;
  }
  if ((flow.flags & flow_flag::has_local) != 0) return true;
  return flow.reverse.destination == flow.forward.source && flow.reverse.destination_port == flow.forward.source_port;
}

// Whether a flow can belong to the real server.
template <class A>
bool belongs_to(const Flow<A>& flow, const DestinationIdentity& server) {
  const ServiceKey& home = server.home;
  if (home.mark == 0) {
    if (wire::Address(flow.forward.destination) != home.address || flow.protocol != home.protocol) return false;
  }
  if (flow.is_template() || server.address.family != A::family) return true;
  return wire::Address(flow.reverse.source) == server.address;
}

bool is_bool(const bool& value) {
  uint8_t byte;
  std::memcpy(&byte, &value, sizeof byte);
  return byte <= 1;
}

bool is_scale(uint8_t scale) {
  return scale <= SynOptions::greatest_window_scale;
}

// Sequence numbers and times may have any value. A value that chooses a branch, a shift or a length may not.
bool is_sound(const SplicedFlow& spliced) {
  const SynOptions& options = spliced.client.options;
  const InsertedHeader& header = spliced.announcement.header;
  const Splice& splice = spliced.splice;
  if (!is_bool(spliced.client.has_flow) || !is_bool(options.sack_permitted) || !is_bool(options.timestamps) ||
      !is_bool(spliced.announcement.has_timestamps))
    return false;
  if (!is_scale(options.window_scale) && options.window_scale != SynOptions::no_window_scale) return false;
  if (!is_scale(header.window_scale) || !is_scale(splice.promised_scale) || !is_scale(splice.real_scale) ||
      !is_scale(splice.client_scale))
    return false;
  if (spliced.phase > SplicedFlow::Phase::closed || header.phase > InsertedHeader::Phase::acknowledged) return false;
  if (spliced.phase == SplicedFlow::Phase::greeting && !spliced.is_greeted()) return false;
  return header.phase == InsertedHeader::Phase::none || header.length == proxy_header_length(spliced.family);
}

// Restores the flows of one family into a table.
template <class A>
class Return {
 public:
  Return(FlowKeeper<A>& keeper, ServiceTable& services, LocalPools& pools, SplicedFlows& spliced,
         const SavedFlows& saved_flows, Time now)
      : keeper_(keeper), services_(services), pools_(pools), spliced_(spliced), saved_flows_(saved_flows), now_(now) {}

  // Templates first, because flows refer to them.
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
    if (!has_sound_flags(before) || !has_sound_state(before) || !has_sound_halves(before)) return false;
    Destination* destination = nullptr;
    if (before.destination != no_destination) {
      destination = find(before);
      if (destination == nullptr) return false;
    }
    if (is_listed(before)) return false;
    Flow<A> flow = before;
    if ((flow.flags & flow_flag::spliced) != 0 && !take_spliced(flow, index)) return false;
    if ((flow.flags & flow_flag::has_local) != 0) {
      flow.mark = pools_.claim<A>({flow.local(), flow.local_port()});
      if (flow.mark == no_pool) return give_up(flow);
    }
    flow.destination = no_destination;
    flow.control = no_flow;
    // If there is no room, open() has freed the place in the pool.
    Flow<A>* const opened = keeper_.open(flow, destination, flow.deadline);
    if (opened == nullptr) return give_up(flow);
    settle(*opened, before, index);
    return true;
  }

  bool give_up(const Flow<A>& flow) {
    if ((flow.flags & flow_flag::spliced) != 0) spliced_.release(flow.spliced);
    return false;
  }

  // A client has one flow per destination, and a local address and port belong to one flow per remote end. A second
  // such record was being written, or had ended, at the time of the crash.
  bool is_listed(const Flow<A>& flow) const {
    if (flow.is_template()) return false;
    if (keeper_.table().find(flow.key(Direction::forward))) return true;
    return (flow.flags & flow_flag::has_local) != 0 && keeper_.table().find(flow.key(Direction::reverse));
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
    SplicedFlow spliced;
    std::memcpy(&spliced, &saved_flows_.spliced[flow.spliced], sizeof spliced);
    if (spliced.flow != index || spliced.family != A::family || !is_sound(spliced)) return false;
    spliced.queue = 0;
    flow.spliced = spliced_.take(spliced);
    return flow.spliced != SplicedFlows::none;
  }

  Destination* find(const Flow<A>& flow) const {
    if (flow.destination >= saved_flows_.destinations.size()) return nullptr;
    const DestinationIdentity& identity = saved_flows_.destinations[flow.destination];
    if (!belongs_to(flow, identity)) return nullptr;
    const Service* const service = services_.find(identity.home);
    return service == nullptr ? nullptr : services_.find_destination(*service, identity.address, identity.port);
  }

  FlowKeeper<A>& keeper_;
  ServiceTable& services_;
  LocalPools& pools_;
  SplicedFlows& spliced_;
  const SavedFlows& saved_flows_;
  const Time now_;
  std::unordered_map<uint32_t, uint32_t> templates_;  // the template's old index → its new index
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
