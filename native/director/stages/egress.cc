// SPDX-License-Identifier: Apache-2.0
#include "director/stages/egress.h"

#include "director/flows/text.h"
#include "director/outgoing/icmp_errors.h"
#include "director/outgoing/rewrite.h"
#include "director/services/text.h"
#include "director/stages/opening.h"
#include "wire/tcp.h"

namespace sluice::director {

template <class A>
const EgressRule* Egress::egress_rule(const A& source) const {
  for (const EgressRule& rule : rules_) {
    if (rule.network.family == A::family && masked(wire::Address(source), rule.prefix_length) == rule.network) {
      return &rule;
    }
  }
  return nullptr;
}

// Whether the gateway leads to the destination: a single host that is not this host and not a virtual address.
template <class A>
bool Egress::may_leave_to(const A& destination) const {
  const wire::Address address = destination;
  if constexpr (A::family == wire::Family::ipv4) {
    const bool is_multicast = (address.bytes[0] & 0xf0) == 0xe0;
    const bool is_loopback = address.bytes[0] == 127;
    if (is_multicast || is_loopback || transmitter_.route_table().is_broadcast(destination)) return false;
  } else {
    const bool is_link_local = address.bytes[0] == 0xfe && (address.bytes[1] & 0xc0) == 0x80;
    if (address.bytes[0] == 0xff || is_link_local) return false;
  }
  return !address.is_unspecified() && !transmitter_.route_table().is_local(address) && !own_addresses_.owns(address);
}

// Packets without a flow and a service: a server behind the gateway opens a connection; a stranger sends to the
// gateway's pool; a real server sends a packet without a flow; or the packet does not concern the director.
template <class A>
Decision Egress::without_service(Transit<A>& t) {
  if (const std::optional<Reason> disowned = local_node_.disown(t)) return {*disowned};
  // If the host also has the address, the packet may be for the host itself.
  const bool is_hosts = transmitter_.route_table().is_local(t.endpoints.destination);
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
template Decision Egress::without_service(Transit<wire::Ipv4Address>&);
template Decision Egress::without_service(Transit<wire::Ipv6Address>&);

template <class A>
Decision Egress::open_egress(Transit<A>& t, const EgressRule& rule) {
  // A connection cannot be taken over in the middle, because its other end knows another address. It must not leave as
  // it is either.
  if (!may_open(t, switches_)) return {Reason::egress_untracked};
  if (!own_addresses_.may_tell(t.endpoints.source)) return {Reason::martian_source};
  Flow<A> flow;
  flow.forward = t.endpoints;
  flow.protocol = t.packet.protocol;
  flow.flags = flow_flag::egress | flow_has_reverse | flow_flag::inactive;
  flow.reverse.source = t.endpoints.destination;
  flow.reverse.source_port = t.endpoints.destination_port;
  const Reason taken = flows_.of<A>().take_local_port(rule.pool, flow, t.trace);
  if (taken != Reason::scheduled) return {taken};
  FlowKeeper<A>& keeper = flows_.of<A>();
  Flow<A>* opened = keeper.open(flow, nullptr, t.tick() + ticks(opening_time));
  if (opened == nullptr) return {Reason::flow_limit};
  return forwarder_.route(t, *opened, opened->reverse.mirrored(), Seen::from_client, Reason::egress_opened);
}

// Echo requests leave as other packets do; their replies are found by the identifier. Their fragments follow the first.
template <class A>
Decision Egress::echo_through_gateway(Transit<A>& t, bool is_request) {
  const uint16_t identifier = wire::load_be16(t.l4() + offset::icmp_identifier);
  (is_request ? t.endpoints.source_port : t.endpoints.destination_port) = identifier;
  FlowKeeper<A>& keeper = flows_.of<A>();
  const FlowKey<A> key{t.endpoints, t.packet.protocol};
  const FoundFlow<A> found = keeper.find(keeper.table().hash(key), key, t.tick());
  if (found) return egress(t, found);
  if (!is_request && !pools_.is_local_address(t.endpoints.destination)) return {Reason::unrelated_icmp};
  const Decision decision = without_service(t);
  return decision.reason == Reason::no_service ? Decision{Reason::unrelated_icmp} : decision;
}
template Decision Egress::echo_through_gateway(Transit<wire::Ipv4Address>&, bool);
template Decision Egress::echo_through_gateway(Transit<wire::Ipv6Address>&, bool);

template <class A>
Decision Egress::egress(Transit<A>& t, FoundFlow<A> found) {
  const bool outwards = found.direction == Direction::forward;
  const Endpoints<A> to = outwards ? found.flow->reverse.mirrored() : found.flow->forward.mirrored();
  return forwarder_.route(t, *found.flow, to, outwards ? Seen::from_client : Seen::from_server, Reason::egress);
}
template Decision Egress::egress(Transit<wire::Ipv4Address>&, FoundFlow<wire::Ipv4Address>);
template Decision Egress::egress(Transit<wire::Ipv6Address>&, FoundFlow<wire::Ipv6Address>);

// nat_icmp_send: a real server whose packet has no flow is told so by an ICMP error. The kernel handles such a packet
// where it forwards it: if a router would not forward it, the server is told only that. Returns nothing if the packet
// is not of this kind, or is this host's own.
template <class A>
std::optional<Reason> Egress::answer_real_server(Transit<A>& t) {
  const Endpoints<A>& e = t.endpoints;
  if (services_.find_real_server(t.packet.protocol, e.source, e.source_port) == nullptr) return std::nullopt;
  // A packet that ends a connection is not answered.
  if (t.packet.protocol == wire::protocol::tcp && (t.packet.tcp_flags & wire::tcp_flag::rst) != 0) return std::nullopt;
  if (t.packet.protocol == wire::protocol::sctp && first_chunk(t) == wire::sctp_chunk::abort) return std::nullopt;
  const NextHop& hop = transmitter_.hop_to(e.destination);
  if (hop.state == HopState::local) return std::nullopt;
  if (const std::optional<Reason> in_the_way = forwarder_.obstacle(t, hop)) return in_the_way;
  decrement_hop_limit<A>(t.l3());
  forwarder_.tell_sender(t, port_unreachable<A>(), Answerer::this_host);
  return Reason::real_server_told;
}

}  // namespace sluice::director
