// SPDX-License-Identifier: Apache-2.0
#include "director/stages/dispatch.h"

#include "director/stages/opening.h"
#include "wire/protocol.h"

namespace sluice::director {

// Whether a packet of a known flow begins a new connection: the client uses a port again whose connection it had closed
// (conn_reuse_mode), or the server is being drained and expire_nodest_conn forbids further connections to it.
template <class A>
bool Dispatch::starts_anew(const Transit<A>& t, const Flow<A>& flow, const Destination& destination) const {
  if (t.is_later_fragment() || !is_first_packet(t)) return false;
  if (switches_.expire_nodest_conn && destination.weight == 0) return true;
  if (switches_.conn_reuse_mode == 0 || flow.control != no_flow) return false;
  if (flow.protocol == wire::protocol::sctp) {
    return is_reusable(static_cast<SctpState>(flow.state), switches_.conn_reuse_mode);
  }
  const bool one_way = (flow.flags & flow_flag::no_output) != 0;
  return is_reusable(static_cast<TcpState>(flow.state), switches_.conn_reuse_mode, one_way);
}

template <class A>
Decision Dispatch::known_or_new(Transit<A>& t, FoundFlow<A> found) {
  if (found && (found.flow->flags & (flow_flag::egress | flow_flag::spliced)) != 0) {
    if ((found.flow->flags & flow_flag::egress) != 0) return egress_.egress(t, found);
    const SplicedOutcome handshake = syn_proxy_.spliced(t, found);
    if (handshake.step == SplicedStep::done) return handshake.decision;
    if (handshake.step == SplicedStep::opens_anew) return admission_.open_flow(t);
  }
  if (found && found.direction == Direction::reverse) {
    return forwarder_.route(t, *found.flow, found.flow->forward.mirrored(), Seen::from_server, Reason::reply);
  }
  if (found) {
    Flow<A>& flow = *found.flow;
    const Destination& destination = services_.destination(flow.destination);
    const bool leaves_removed = switches_.udp_leave_removed && flow.protocol == wire::protocol::udp;
    if (starts_anew(t, flow, destination)) {
      if (t.trace) t.trace->say("a new connection on a closed flow's ports: the old flow ends");
      return replace_flow(t, flow);
    }
    if (destination.available) return forwarder_.request(t, flow, Reason::established);
    if (t.is_later_fragment() || !(switches_.expire_nodest_conn || leaves_removed)) {
      return {Reason::server_removed, flow.destination};
    }
    if (t.trace) t.trace->say("its real server was removed: the flow ends, another server is asked for");
    return replace_flow(t, flow);
  }
  return admission_.open_flow(t);
}

// As in the kernel, the scheduler still counts the old flow while it chooses for the new one.
template <class A>
Decision Dispatch::replace_flow(Transit<A>& t, Flow<A>& old) {
  const Decision decision = admission_.open_flow(t);
  flows_.of<A>().end(old);
  return decision;
}

template <class A>
Decision Dispatch::decide_packet(Transit<A>& t) {
  if (t.packet.protocol == (A::family == wire::Family::ipv4 ? wire::protocol::icmp : wire::protocol::icmpv6)) {
    return icmp_.icmp(t);
  }
  if (!t.packet.has_ports) return {Reason::other_protocol};
  FlowKeeper<A>& keeper = flows_.of<A>();
  const FlowKey<A> key{t.endpoints, t.packet.protocol};
  return known_or_new(t, keeper.find(keeper.table().hash(key), key, t.tick()));
}
template Decision Dispatch::decide_packet(Transit<wire::Ipv4Address>&);
template Decision Dispatch::decide_packet(Transit<wire::Ipv6Address>&);
template Decision Dispatch::known_or_new(Transit<wire::Ipv4Address>&, FoundFlow<wire::Ipv4Address>);
template Decision Dispatch::known_or_new(Transit<wire::Ipv6Address>&, FoundFlow<wire::Ipv6Address>);

}  // namespace sluice::director
