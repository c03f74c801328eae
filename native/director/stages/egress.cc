// SPDX-License-Identifier: Apache-2.0
// The NAT gateway: servers that call out leave with an address and port of a pool.
//
// A packet from a source network to somewhere that is no service here opens an egress flow: forward is the server's
// packet (server -> remote), reverse what answers it (remote -> local). TCP and UDP flows have the states of the
// connections that IPVS tracks; ICMP echo has its identifier in the place of a port. A place in the pool serves any
// number of remote ends. Flows end as others do: by their state's timeout.
#include "director/outgoing/icmp_errors.h"
#include "director/outgoing/rewrite.h"
#include "director/stages/director.h"
#include "director/stages/text.h"
#include "wire/tcp.h"

namespace sluice::director {

template <class A>
const EgressRule* Director::egress_rule(const A& source) const {
  for (const EgressRule& rule : egress_) {
    if (rule.network.family == A::family && masked(wire::Address(source), rule.prefix_length) == rule.network) {
      return &rule;
    }
  }
  return nullptr;
}

// Whether the gateway is the way there: to a single host that is neither this one nor one of its virtual addresses.
template <class A>
bool Director::may_leave_to(const A& destination) const {
  const wire::Address address = destination;
  if constexpr (A::family == wire::Family::ipv4) {
    const bool is_multicast = (address.bytes[0] & 0xf0) == 0xe0;
    const bool is_loopback = address.bytes[0] == 127;
    if (is_multicast || is_loopback || route_table().is_broadcast(destination)) return false;
  } else {
    const bool is_link_local = address.bytes[0] == 0xfe && (address.bytes[1] & 0xc0) == 0x80;
    if (address.bytes[0] == 0xff || is_link_local) return false;
  }
  return !address.is_unspecified() && !route_table().is_local(address) && !owns(address);
}

// What no flow and no service wants: a server behind the gateway calling out, a stranger calling the gateway's pool, a
// real server's packet that nobody asked for, or nothing of the director's.
template <class A>
Decision Director::without_service(Transit<A>& t) {
  // An address that the host has too may be meant for the host itself.
  const bool is_hosts = route_table().is_local(t.endpoints.destination);
  if (!is_hosts && pools_.is_local_address(t.endpoints.destination)) {
    const bool from_inside = egress_rule(t.endpoints.source) != nullptr;
    return {from_inside ? Reason::hairpin_refused : Reason::egress_unsolicited};
  }
  const EgressRule* rule = egress_rule(t.endpoints.source);
  if (rule != nullptr && may_leave_to(t.endpoints.destination)) return open_egress(t, *rule);
  if (switches_.nat_icmp_send) {
    if (const std::optional<Reason> answered = answer_real_server(t)) return {*answered};
  }
  return {Reason::no_service};
}
template Decision Director::without_service(Transit<wire::Ipv4Address>&);
template Decision Director::without_service(Transit<wire::Ipv6Address>&);

template <class A>
Decision Director::open_egress(Transit<A>& t, const EgressRule& rule) {
  // A connection's middle cannot be taken over, as its other end knows another address; and it must not leave as it is.
  if (!may_open(t)) return {Reason::egress_untracked};
  if (!host_answers_.may_tell(t.endpoints.source)) return {Reason::martian_source};
  Flow<A> flow;
  flow.forward = t.endpoints;
  flow.protocol = t.packet.protocol;
  flow.flags = flow_flag::egress | flow_has_reverse | flow_flag::inactive;
  flow.reverse.source = t.endpoints.destination;
  flow.reverse.source_port = t.endpoints.destination_port;
  const Reason taken = take_local_port(t, rule.pool, flow);
  if (taken != Reason::scheduled) return {taken};
  FlowKeeper<A>& keeper = flows<A>();
  Flow<A>* opened = keeper.open(flow, nullptr, t.tick() + ticks(opening_time));
  if (opened == nullptr) return {Reason::flow_limit};
  return route(t, *opened, opened->reverse.mirrored(), Seen::from_client, Reason::egress_opened);
}

// Echo requests leave as any packet does; their replies come back by the identifier. Fragments of them follow the
// first.
template <class A>
Decision Director::echo_through_gateway(Transit<A>& t, bool is_request) {
  const uint16_t identifier = wire::load_be16(t.l4() + offset::icmp_identifier);
  (is_request ? t.endpoints.source_port : t.endpoints.destination_port) = identifier;
  FlowKeeper<A>& keeper = flows<A>();
  const FlowKey<A> key{t.endpoints, t.packet.protocol};
  const FoundFlow<A> found = keeper.find(keeper.table().hash(key), key, t.tick());
  if (found) return egress(t, found);
  if (!is_request && !pools_.is_local_address(t.endpoints.destination)) return {Reason::unrelated_icmp};
  const Decision decision = without_service(t);
  return decision.reason == Reason::no_service ? Decision{Reason::unrelated_icmp} : decision;
}
template Decision Director::echo_through_gateway(Transit<wire::Ipv4Address>&, bool);
template Decision Director::echo_through_gateway(Transit<wire::Ipv6Address>&, bool);

template <class A>
Decision Director::egress(Transit<A>& t, FoundFlow<A> found) {
  const bool outwards = found.direction == Direction::forward;
  const Endpoints<A> to = outwards ? found.flow->reverse.mirrored() : found.flow->forward.mirrored();
  return route(t, *found.flow, to, outwards ? Seen::from_client : Seen::from_server, Reason::egress);
}
template Decision Director::egress(Transit<wire::Ipv4Address>&, FoundFlow<wire::Ipv4Address>);
template Decision Director::egress(Transit<wire::Ipv6Address>&, FoundFlow<wire::Ipv6Address>);

// A source for the flow's outgoing side, put into flow.reverse; the flow remembers the edition of the pool in its mark.
template <class A>
Reason Director::take_local_port(Transit<A>& t, uint32_t pool_id, Flow<A>& flow) {
  const uint32_t edition = pools_.edition(pool_id);
  PortPool<A>* pool = pools_.find<A>(edition);
  if (pool == nullptr || pool->places() == 0) return Reason::pool_missing;
  const auto local = pool->allocate(flows<A>().table(), {flow.reverse.source, flow.reverse.source_port, flow.protocol});
  if (!local) {
    if (t.trace) t.trace->say("every address and port of the pool is in use towards this real server");
    return Reason::pool_exhausted;
  }
  flow.reverse.destination = local->address;
  flow.reverse.destination_port = local->port;
  flow.mark = edition;
  flow.flags |= flow_flag::has_local;
  if (t.trace) t.trace->say("local address %s", to_text(wire::Address(local->address), local->port).c_str());
  return Reason::scheduled;
}
template Reason Director::take_local_port(Transit<wire::Ipv4Address>&, uint32_t, Flow<wire::Ipv4Address>&);
template Reason Director::take_local_port(Transit<wire::Ipv6Address>&, uint32_t, Flow<wire::Ipv6Address>&);

// nat_icmp_send: a real server whose packet belongs to no flow any more learns that it talks to nobody. The kernel
// meets such a packet where it forwards it: what keeps a router from passing it on comes first, and is all that the
// server is told then. Nothing: the packet is none of that kind, or this host's own.
template <class A>
std::optional<Reason> Director::answer_real_server(Transit<A>& t) {
  const Endpoints<A>& e = t.endpoints;
  if (services_.find_real_server(t.packet.protocol, e.source, e.source_port) == nullptr) return std::nullopt;
  // What ends a connection is not answered.
  if (t.packet.protocol == wire::protocol::tcp && (t.packet.tcp_flags & wire::tcp_flag::rst) != 0) return std::nullopt;
  if (t.packet.protocol == wire::protocol::sctp && first_chunk(t) == wire::sctp_chunk::abort) return std::nullopt;
  const NextHop& hop = transmitter_.hop_to(e.destination);
  if (hop.state == HopState::local) return std::nullopt;
  if (const std::optional<Reason> in_the_way = obstacle(t, hop)) return in_the_way;
  decrement_hop_limit<A>(t.l3());
  tell_sender(t, port_unreachable<A>(), Answerer::this_host);
  return Reason::real_server_told;
}

}  // namespace sluice::director
