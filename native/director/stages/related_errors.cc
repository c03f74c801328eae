// SPDX-License-Identifier: Apache-2.0
#include "director/stages/related_errors.h"

#include "director/flows/text.h"
#include "director/handshake/splice.h"
#include "director/outgoing/rewrite.h"
#include "wire/icmp.h"
#include "wire/icmpv6.h"

namespace sluice::director {

namespace {

bool has_ports(uint8_t protocol) {
  return protocol == wire::protocol::tcp || protocol == wire::protocol::udp || protocol == wire::protocol::sctp;
}

template <class A>
void fill_icmp_checksum(const Transit<A>& t, const Endpoints<A>& outer) {
  if constexpr (A::family == wire::Family::ipv4) {
    wire::MutableIcmpView(t.transport()).fill_checksum();
  } else {
    wire::MutableIcmpv6View(t.transport())
        .fill_checksum(
            wire::pseudo_header_sum(outer.source, outer.destination, wire::protocol::icmpv6, t.packet.l4_length()));
  }
}

}  // namespace

template <class A>
Decision RelatedErrors::carry_error(Transit<A>& t, Flow<A>& flow, const wire::Packet& inner, bool is_about_reply) {
  const Forwarding forwarding = forwarding_of(flow);
  const bool translates = forwarding == Forwarding::nat || forwarding == Forwarding::fullnat;
  if (translates && !icmp_checksum_ok(t)) return {Reason::bad_icmp_checksum, flow.destination};
  if (!translates) return forward_related(t, flow);

  const Endpoints<A>& seen_by_receiver = is_about_reply ? flow.reverse : flow.forward;
  Endpoints<A> outer = t.endpoints;
  outer.destination = seen_by_receiver.source;
  // The error's source: for a real server, an address that it knows; for a client, the virtual address; for a remote
  // host, the NAT gateway's address. Servers behind the gateway see the original source (traceroute needs it).
  const bool is_egress = (flow.flags & flow_flag::egress) != 0;
  if (is_about_reply && (is_egress || forwarding == Forwarding::fullnat)) outer.source = flow.local();
  if (!is_about_reply && !is_egress) outer.source = flow.virtual_address();
  return translate_error(t, flow, outer, seen_by_receiver, inner, is_about_reply);
}

template <class A>
Decision RelatedErrors::translate_error(Transit<A>& t, Flow<A>& flow, const Endpoints<A>& outer,
                                        const Endpoints<A>& quotation, const wire::Packet& inner, bool to_real_server) {
  const NextHop& hop = transmitter_.hop_to(outer.destination);
  const bool is_for_host = to_real_server && hop.state == HopState::local;
  if (!is_for_host) {
    if (const std::optional<Reason> in_the_way = forwarder_.obstacle(t, hop)) return {*in_the_way, flow.destination};
    if (hop.state == HopState::no_neighbour) {
      transmitter_.ask_neighbour(hop, t.now, t.frame, t.packet, t.out);
      return {Reason::no_neighbour, flow.destination};
    }
    decrement_hop_limit<A>(t.l3());
  }
  states_.count_packet(t, flow, to_real_server);
  if (to_real_server) flow.count_packet();

  uint8_t* inner_l3 = t.l4() + icmp_header_length + inner.l3;
  uint8_t* inner_l4 = t.l4() + icmp_header_length + inner.l4;
  const Endpoints<A> before = endpoints_of<A>(inner_l3, inner);
  const wire::Sum addresses = replace_addresses(inner_l3, before, quotation);
  if (!has_ports(inner.protocol)) {
    replace_identifier(inner_l4, quotation, addresses, false);
  } else {
    wire::store_be16(inner_l4, quotation.source_port);
    wire::store_be16(inner_l4 + 2, quotation.destination_port);
    if ((flow.flags & flow_flag::spliced) != 0) {
      unsplice_quotation(spliced_[flow.spliced], t.transport().subspan(icmp_header_length + inner.l4), to_real_server);
    }
  }
  replace_addresses(t.l3(), t.endpoints, outer);
  fill_icmp_checksum(t, outer);
  if (t.trace) t.trace->say("the error now quotes %s", to_text(quotation).c_str());
  Frame frame = t.frame;
  frame.checksum = TransportChecksum::complete;
  if (is_for_host) {
    local_node_.give(frame, t.out);
    return {Reason::delivered, flow.destination};
  }
  const IpPacket ip{t.l3(), t.packet.l3_length, A::family};
  return {transmitter_.send(frame, t.packet, ip, hop, t.out).value_or(Reason::related_error), flow.destination};
}

template Decision RelatedErrors::carry_error(Transit<wire::Ipv4Address>&, Flow<wire::Ipv4Address>&, const wire::Packet&,
                                             bool);
template Decision RelatedErrors::carry_error(Transit<wire::Ipv6Address>&, Flow<wire::Ipv6Address>&, const wire::Packet&,
                                             bool);

// DR and tunnels translate nothing: the error follows the flow's packets unchanged.
template <class A>
Decision RelatedErrors::forward_related(Transit<A>& t, Flow<A>& flow) {
  Destination& destination = services_.destination(flow.destination);
  states_.count_packet(t, flow, true);
  flow.count_packet();
  return {forwarder_.send_request(t, flow, destination, Reason::related_error), flow.destination};
}

}  // namespace sluice::director
