// SPDX-License-Identifier: Apache-2.0
#include "director/stages/icmp.h"

#include "director/flows/text.h"
#include "director/outgoing/rewrite.h"
#include "director/services/text.h"
#include "wire/gre.h"
#include "wire/gue.h"
#include "wire/icmp.h"
#include "wire/icmpv6.h"
#include "wire/udp.h"

namespace sluice::director {

namespace {

// A smaller IPv4 MTU means a broken path, not a narrow one (RFC 791).
constexpr uint32_t smallest_ipv4_mtu = 68;

// The errors that the kernel's IPVS handles.
bool concerns_flows(uint8_t type, wire::Family family) {
  if (family == wire::Family::ipv6) return type < wire::icmpv6_type::first_informational;
  return type == wire::icmp_type::unreachable || type == wire::icmp_type::source_quench ||
         type == wire::icmp_type::time_exceeded;
}

// Whether the quoted packet could belong to a flow: a packet with ports, or an echo message, whose identifier is put
// into the endpoints in the place of a port.
template <class A>
bool has_quoted_ports(wire::Bytes quoted, const wire::Packet& inner, Endpoints<A>& sent) {
  constexpr bool is_v4 = A::family == wire::Family::ipv4;
  constexpr uint8_t request = is_v4 ? wire::icmp_type::echo_request : wire::icmpv6_type::echo_request;
  constexpr uint8_t reply = is_v4 ? wire::icmp_type::echo_reply : wire::icmpv6_type::echo_reply;
  if (inner.fragment == wire::Fragment::later) return false;
  if (inner.has_ports) return true;
  if (inner.protocol != (is_v4 ? wire::protocol::icmp : wire::protocol::icmpv6)) return false;
  if (quoted.size() < inner.l4 + icmp_header_length) return false;
  const uint8_t* message = quoted.data() + inner.l4;
  const uint16_t identifier = wire::load_be16(message + offset::icmp_identifier);
  if (message[0] != request && message[0] != reply) return false;
  (message[0] == request ? sent.source_port : sent.destination_port) = identifier;
  return true;
}

// Length of the headers between the outer IP header's end and the inner packet, if the quotation is of a packet in a
// tunnel of that kind which holds an IPv4 packet; otherwise 0.
uint32_t tunnel_header_length(Encapsulation encapsulation, wire::Bytes after_ip) {
  if (encapsulation == Encapsulation::gue) {
    const auto gue = wire::GueView::parse(after_ip.size() > wire::UdpView::header_length
                                              ? after_ip.subspan(wire::UdpView::header_length)
                                              : wire::Bytes{});
    if (!gue || gue->is_control() || gue->protocol() != wire::protocol::ipip) return 0;
    return static_cast<uint32_t>(wire::UdpView::header_length + gue->header_length());
  }
  const auto gre = wire::GreView::parse(after_ip);
  if (!gre || gre->type() != wire::ethertype::ipv4) return 0;
  return static_cast<uint32_t>(gre->header_length());
}

}  // namespace

template <class A>
Decision Icmp::icmp(Transit<A>& t) {
  const uint8_t type = t.l4()[0];
  if (t.is_later_fragment()) return {Reason::unhandled_fragment};
  if (concerns_flows(type, A::family)) {
    if (t.packet.fragment != wire::Fragment::none) {
      return {A::family == wire::Family::ipv6 ? Reason::fragment_of_icmp_error : Reason::unhandled_fragment};
    }
    return related_error(t);
  }
  constexpr bool is_v4 = A::family == wire::Family::ipv4;
  constexpr uint8_t request = is_v4 ? wire::icmp_type::echo_request : wire::icmpv6_type::echo_request;
  constexpr uint8_t reply = is_v4 ? wire::icmp_type::echo_reply : wire::icmpv6_type::echo_reply;
  if (type == request && t.packet.fragment == wire::Fragment::none && own_addresses_.owns(t.endpoints.destination)) {
    return answer_echo(t);
  }
  if constexpr (!is_v4) {
    if (const auto answered = neighbours_.neighbour_message(t)) return *answered;
  }
  if (type == request || type == reply) return egress_.echo_through_gateway(t, type == request);
  return {Reason::unrelated_icmp};
}
template Decision Icmp::icmp(Transit<wire::Ipv4Address>&);
template Decision Icmp::icmp(Transit<wire::Ipv6Address>&);

template <class A>
Decision Icmp::answer_echo(Transit<A>& t) {
  if (!own_addresses_.may_tell(t.endpoints.source)) return {Reason::martian_source};
  if (!icmp_checksum_ok(t)) return {Reason::bad_icmp_checksum};
  const NextHop& hop = transmitter_.hop_to(t.endpoints.source);
  if (hop.state == HopState::no_neighbour) {
    // The frame is unchanged: whoever waits for the neighbour gives it to the director again.
    transmitter_.ask_neighbour(hop, t.now, t.frame, t.packet, t.out);
    return {Reason::no_neighbour};
  }
  if (hop.state != HopState::reachable) return {Reason::no_route};
  IpPacket ip{t.l3(), t.packet.l3_length, A::family};
  turn_echo_around(ip, t.packet.l4 - t.packet.l3, transmitter_.next_id());
  Frame frame = t.frame;
  frame.checksum = TransportChecksum::complete;
  return {transmitter_.send(frame, t.packet, ip, hop, t.out).value_or(Reason::echo_answered)};
}

template <class A>
Decision Icmp::related_error(Transit<A>& t) {
  const wire::MutableBytes message = t.transport();
  wire::MutableBytes quoted = message.subspan(icmp_header_length);
  wire::Packet inner;
  if (wire::dissect_quoted(quoted, inner) != wire::Malformed::ok || inner.family() != A::family) {
    return {Reason::unrelated_icmp};
  }
  if constexpr (A::family == wire::Family::ipv4) {
    if (transmitter_.route_table().is_local(t.endpoints.destination)) {
      const Decision decision = tunnel_error(t, quoted, inner);
      if (decision.reason != Reason::unrelated_icmp) return decision;
    }
  }
  Endpoints<A> sent = endpoints_of<A>(quoted.data() + inner.l3, inner);
  if (!has_quoted_ports(quoted, inner, sent)) return {Reason::unrelated_icmp};

  FlowKeeper<A>& keeper = flows_.of<A>();
  const FlowKey<A> key{sent.mirrored(), inner.protocol};
  const FoundFlow<A> found = keeper.find(keeper.table().hash(key), key, t.tick());
  if (!found) {
    if (t.trace) t.trace->say("an error about %s, which belongs to no flow", to_text(sent).c_str());
    return switches_.schedule_icmp && inner.has_ports ? open_for_error(t, sent.mirrored(), inner)
                                                      : Decision{Reason::unrelated_icmp};
  }
  return related_errors_.carry_error(t, *found.flow, inner, found.direction == Direction::forward);
}

// `request`: the packet that the quoted reply would have answered. A forged error costs as much as a forged first
// packet. With the SYN proxy, neither opens a flow of the service.
template <class A>
Decision Icmp::open_for_error(Transit<A>& t, const Endpoints<A>& request, const wire::Packet& inner) {
  admission_.mark(t);
  Service* service = services_.find(inner.protocol, request.destination, request.destination_port, t.frame.mark);
  if (service == nullptr || service->settings.syn_proxy != SynProxy::off) return {Reason::unrelated_icmp};
  if (own_addresses_.is_martian(t.endpoints.source) || own_addresses_.is_martian(request.source)) {
    return {Reason::martian_source, no_destination, service};
  }
  const QuotingError<A> error{t, inner};
  Transit<A> quoted{t.frame, inner, t.now, t.out, t.trace, request, &error};
  return admission_.admit(quoted, *service, nullptr);
}

// An error about a packet that this director had encapsulated: the client gets an error about its own packet.
Decision Icmp::tunnel_error(Transit<wire::Ipv4Address>& t, wire::MutableBytes quoted, const wire::Packet& outer) {
  const wire::Ipv4View outer_ip(quoted);
  const wire::Address real_server = outer_ip.destination();
  Encapsulation encapsulation;
  switch (outer_ip.protocol()) {
    case wire::protocol::ipip:
      encapsulation = Encapsulation::ipip;
      break;
    case wire::protocol::udp:
      encapsulation = Encapsulation::gue;
      break;
    case wire::protocol::gre:
      encapsulation = Encapsulation::gre;
      break;
    default:
      return {Reason::unrelated_icmp};
  }
  const Destination* destination = services_.find_tunnel(real_server, encapsulation);
  if (destination == nullptr || outer.fragment == wire::Fragment::later) return {Reason::unrelated_icmp};
  if (encapsulation == Encapsulation::gue && outer.destination_port != destination->tunnel.port) {
    return {Reason::unrelated_icmp};
  }
  uint32_t headers = static_cast<uint32_t>(outer_ip.header_length());
  if (encapsulation != Encapsulation::ipip) {
    const uint32_t more = tunnel_header_length(encapsulation, quoted.subspan(headers));
    if (more == 0) return {Reason::unrelated_icmp};
    headers += more;
  }
  if (quoted.size() <= headers) return {Reason::unrelated_icmp};
  const wire::MutableBytes inside = quoted.subspan(headers);
  wire::Packet request;
  if (wire::dissect_quoted(inside, request) != wire::Malformed::ok || request.ip_version != 4) {
    return {Reason::unrelated_icmp};
  }
  const auto endpoints = endpoints_of<wire::Ipv4Address>(inside.data(), request);
  const FlowKey<wire::Ipv4Address> key{endpoints, request.protocol};
  const auto found =
      flows_.of<wire::Ipv4Address>().find(flows_.of<wire::Ipv4Address>().table().hash(key), key, t.tick());
  if (!found) return {Reason::unrelated_icmp};
  if (!icmp_checksum_ok(t)) return {Reason::bad_icmp_checksum, found.flow->destination};

  const wire::MutableIcmpView message(t.transport());
  IcmpError error{message.type(), message.code(), wire::load_be32(t.l4() + 4)};
  if (message.type() == wire::icmp_type::unreachable && message.code() == wire::icmp_code::fragmentation_needed) {
    // A client that does not use path-MTU discovery gets no answer about the MTU.
    if (!wire::Ipv4View(inside).is_unfragmentable()) return {Reason::tunnel_error, found.flow->destination};
    uint32_t mtu = message.next_hop_mtu();
    transmitter_.narrow(services_.destination(destination->id), mtu, t.now);
    if (mtu > smallest_ipv4_mtu + headers) mtu -= headers;
    error.rest = mtu;
  }
  const IpPacket about{inside.data(), static_cast<uint32_t>(inside.size()), wire::Family::ipv4};
  transmitter_.send_error(about, error, endpoints.destination, endpoints.source, t.now, t.frame, t.packet, t.out);
  return {Reason::tunnel_error, found.flow->destination};
}

}  // namespace sluice::director
