// SPDX-License-Identifier: Apache-2.0
#include "director/tracking/flow_keeper.h"

#include "director/network/text.h"
#include "director/outgoing/rewrite.h"
#include "director/states/tcp_state.h"
#include "wire/protocol.h"

namespace sluice::director {

namespace {

// How long an expired template lives on if it still holds flows.
constexpr Time template_grace = 60 * second;

template <class A>
ChecksumChange change_of(const Flow<A>& flow) {
  const Endpoints<A>& from = flow.forward;
  const Endpoints<A> to = flow.reverse.mirrored();
  const wire::Sum addresses = wire::change(from.source, to.source) + wire::change(from.destination, to.destination);
  const wire::Sum ports = change_of_ports(from.source_port, to.source_port, from.destination_port, to.destination_port);
  return {wire::fold(addresses), wire::fold(addresses + ports)};
}

}  // namespace

template <class A>
Flow<A>* FlowKeeper<A>::begin(const Flow<A>& pattern, Destination* destination, Tick deadline) {
  Flow<A> flow = pattern;
  flow.deadline = deadline;
  if ((flow.flags & flow_flag::spliced) == 0) flow.change = change_of(flow);
  if (flow.is_template()) flow.control = 0;
  Flow<A>* opened = table_.size() < limit_ ? table_.insert_forward(flow) : nullptr;
  if (opened == nullptr) {
    release_local(flow);
  } else if (destination != nullptr) {
    bind(*opened, *destination);
  }
  return opened;
}

template <class A>
void FlowKeeper<A>::release_local(const Flow<A>& flow) {
  if ((flow.flags & flow_flag::has_local) == 0) return;
  PortPool<A>* pool = pools_.find<A>(flow.mark);
  if (pool == nullptr) return;
  pool->release({flow.real_server(), flow.real_server_port(), flow.protocol}, {flow.local(), flow.local_port()});
}

template <class A>
void FlowKeeper<A>::bind(Flow<A>& flow, Destination& destination) {
  flow.destination = destination.id;
  services_.hold(destination);
  if (flow.is_template()) {
    destination.persistent++;
    return;
  }
  flow.flags |= flow_flag::inactive;
  destination.inactive++;
  destination.flows_by_mode[static_cast<size_t>(forwarding_of(flow))]++;
  if (destination.total() == destination.upper_threshold) update_overload(destination, +1);
  services_.load_changed(destination);
}

template <class A>
void FlowKeeper<A>::hold_template(Flow<A>& flow, Flow<A>& control) {
  flow.control = table_.index_of(control);
  control.control++;
}

template <class A>
void FlowKeeper<A>::release(Flow<A>& flow, Template fate) {
  if (!flow.is_template() && flow.control != no_flow) {
    Flow<A>& control = table_.at(flow.control);
    control.control--;
    const bool is_proven = control.state == template_state::assured;
    const bool goes = fate == Template::goes || (fate == Template::goes_if_unproven && !is_proven);
    if (goes && control.control == 0) end(control);
  }
  release_local(flow);
  if (flow.destination == no_destination) return;
  if (flow.protocol == wire::protocol::tcp && !flow.is_template()) {
    if (is_half_open(static_cast<TcpState>(flow.state))) count_half_open(flow, -1);
    if ((flow.flags & flow_flag::spliced) != 0) spliced_.release(flow.spliced);
  }
  Destination& destination = services_.destination(flow.destination);
  if (flow.is_template()) {
    destination.persistent--;
  } else {
    const uint32_t lower = destination.lower_threshold != 0
                               ? destination.lower_threshold
                               : destination.upper_threshold - (destination.upper_threshold >> 2);
    const bool at_lower = destination.total() == lower;
    (flow.flags & flow_flag::inactive ? destination.inactive : destination.active)--;
    destination.flows_by_mode[static_cast<size_t>(forwarding_of(flow))]--;
    if (at_lower) update_overload(destination, -1);
    services_.load_changed(destination);
  }
  services_.release(destination);
}

// The template keeps its flows and its index, because the flows refer to that index: the table would give a new flow
// the place that was freed last.
template <class A>
void FlowKeeper<A>::retire_template(Flow<A>& control) {
  constexpr uint16_t no_port = 0xffff;
  Flow<A> retired = control;
  table_.erase(control);
  retired.forward.destination_port = no_port;
  retired.reverse.source_port = no_port;
  table_.insert(retired);
}

template <class A>
void FlowKeeper<A>::set_active(Flow<A>& flow, bool active) {
  const bool was_active = (flow.flags & flow_flag::inactive) == 0;
  if (active == was_active) return;
  flow.flags ^= flow_flag::inactive;
  if (flow.destination == no_destination) return;
  Destination& destination = services_.destination(flow.destination);
  (was_active ? destination.active : destination.inactive)--;
  (was_active ? destination.inactive : destination.active)++;
  services_.load_changed(destination);
}

template <class A>
void FlowKeeper<A>::count_half_open(const Flow<A>& flow, int change) {
  if (flow.destination == no_destination) return;
  if ((flow.flags & flow_flag::spliced) != 0 && spliced_[flow.spliced].is_greeted()) return;
  services_.count_half_open(services_.destination(flow.destination), change);
}

template <class A>
FoundFlow<A> FlowKeeper<A>::find(uint64_t hash, const FlowKey<A>& key, Tick now) {
  while (FoundFlow<A> found = table_.find(hash, key)) {
    if (!is_due(found.flow->deadline, now)) return found;
    if (!table_.expire(*found.flow, now, [&](Flow<A>& flow) { return on_due(flow, now); })) return found;
  }
  return {};
}

template <class A>
Flow<A>* FlowKeeper<A>::find_template(const FlowKey<A>& key, Tick now) {
  return find(table_.hash(key), key, now).flow;
}

template <class A>
bool FlowKeeper<A>::on_due(Flow<A>& flow, Tick now) {
  if (flow.is_template() && flow.control > 0) {
    flow.mark = template_grace / second;  // in a retired or expired template: its timeout
    // Counts from the deadline, however late advance() came to it.
    const Tick renewed = flow.deadline + ticks(template_grace);
    table_.touch(flow, is_due(renewed, now) ? now + ticks(template_grace) : renewed);
    return false;
  }
  release(flow);
  return true;
}

template <class A>
bool FlowKeeper<A>::advance(Tick now, uint32_t budget) {
  return table_.advance(now, budget, [&](Flow<A>& flow) { return on_due(flow, now); });
}

template <class A>
Reason FlowKeeper<A>::take_local_port(uint32_t pool_id, Flow<A>& flow, Trace* trace) {
  const uint32_t edition = pools_.edition(pool_id);
  PortPool<A>* pool = pools_.find<A>(edition);
  if (pool == nullptr || pool->places() == 0) return Reason::pool_missing;
  const auto local = pool->allocate(table_, {flow.reverse.source, flow.reverse.source_port, flow.protocol});
  if (!local) {
    if (trace) trace->say("every address and port of the pool is in use towards this real server");
    return Reason::pool_exhausted;
  }
  flow.reverse.destination = local->address;
  flow.reverse.destination_port = local->port;
  flow.mark = edition;
  flow.flags |= flow_flag::has_local;
  if (trace) trace->say("local address %s", to_text(wire::Address(local->address), local->port).c_str());
  return Reason::scheduled;
}

template <class A>
bool FlowKeeper<A>::sweep(uint32_t budget) {
  if (swept_ >= table_.span()) return true;
  swept_ = table_.walk(swept_, budget, [&](Flow<A>& flow) {
    const bool holds_others = flow.is_template() && flow.control > 0;
    if (flow.destination == no_destination || holds_others) return;
    if (!services_.destination(flow.destination).available) end(flow, Template::goes);
  });
  return swept_ >= table_.span();
}

template class FlowKeeper<wire::Ipv4Address>;
template class FlowKeeper<wire::Ipv6Address>;

}  // namespace sluice::director
