// SPDX-License-Identifier: Apache-2.0
#include "director/stages/forwarder.h"

#include "director/flows/text.h"
#include "director/handshake/splice.h"
#include "director/outgoing/icmp_errors.h"
#include "director/outgoing/ip_options.h"
#include "director/outgoing/proxy_header.h"
#include "director/outgoing/rewrite.h"
#include "director/services/text.h"
#include "wire/ipv4.h"

namespace sluice::director {

namespace {

template <class A>
IpPacket ip_of(const Transit<A>& t) {
  return {t.l3(), t.packet.l3_length, A::family};
}

template <class A>
bool may_be_fragmented(const Transit<A>& t) {
  if constexpr (A::family == wire::Family::ipv6) {
    return false;
  } else {
    return !wire::Ipv4View(t.ip()).is_unfragmentable();
  }
}

// An error about an ICMP error is not allowed. As in the kernel, related errors in IPv4 are cut despite DF; in IPv6
// they end here, because no router fragments IPv6.
template <class A>
bool is_fragmented_anyway(const Transit<A>& t) {
  return A::family == wire::Family::ipv4 && t.packet.protocol == wire::protocol::icmp;
}

// Whether the packet exceeds the MTU. For a frame that a device will segment, the segments count.
template <class A>
bool exceeds(const Transit<A>& t, uint32_t mtu) {
  if (t.frame.segmentation == Segmentation::none) return t.packet.l3_length > mtu;
  return uint32_t{t.packet.payload} - t.packet.l3 + t.frame.segment_size > mtu;
}

// The ports of an SCTP fragment cannot be changed, because the CRC covers the other fragments, too.
template <class A>
bool changes_sctp_fragment(const Transit<A>& t, const Endpoints<A>& to) {
  return t.packet.protocol == wire::protocol::sctp && t.packet.fragment != wire::Fragment::none &&
         (t.endpoints.source_port != to.source_port || t.endpoints.destination_port != to.destination_port);
}

bool is_partial(const Frame& frame) {
  return frame.checksum == TransportChecksum::partial;
}

// TOA, for real servers in FULLNAT mode: adds the client's address to the packet in a TCP option. Servers read it from
// the segment that completes the handshake; LVS and DPVS also add it to the SYN. So every packet of the client has it
// until the server has sent more than a SYN-ACK. If there is no room (a full segment, a full header, a frame that a
// device will cut), the packet goes without: an earlier ACK had the option.
template <class A>
void tell_by_option(const Transit<A>& t, IpPacket& ip, uint32_t mtu) {
  if (t.packet.fragment != wire::Fragment::none || t.frame.segmentation != Segmentation::none) return;
  const uint32_t transport = t.packet.l4 - t.packet.l3;
  const bool told = insert_toa(ip, transport, t.endpoints.source, t.endpoints.source_port, mtu, is_partial(t.frame));
  if (t.trace) t.trace->say(told ? "a TCP option tells the client's address" : "no room to tell the client's address");
}

// Removes data from the SYN of a connection in which a header must come before the client's bytes.
template <class A>
void leave_early_data_out(const Transit<A>& t, IpPacket& ip) {
  if (t.packet.fragment != wire::Fragment::none) return;
  if (!remove_early_data(ip, t.packet.l4 - t.packet.l3, is_partial(t.frame))) return;
  t.frame.segmentation = Segmentation::none;
  if (t.trace) t.trace->say("the SYN's data is left out: it would come before the PROXY header");
}

// The offset of the checksum in a transport header.
uint16_t checksum_field(uint8_t protocol) {
  switch (protocol) {
    case wire::protocol::tcp:
      return wire::TcpView::checksum_offset;
    case wire::protocol::udp:
      return wire::UdpView::checksum_offset;
    default:
      return wire::SctpView::checksum_offset;
  }
}

// A packet that records its route gets this host's entry: the address that it was sent to, or this host's address on
// the route.
template <class A>
void record_route_of(const Transit<A>& t, const wire::Address& address) {
  if constexpr (A::family == wire::Family::ipv4) {
    wire::MutableIpv4View ip(wire::MutableBytes(t.l3(), t.packet.l3_length));
    if (record_route(ip.options(), address.v4())) wire::MutableIpv4View(ip).fill_checksum();
  }
}

// Whether a TCP frame can go through a tunnel with its segments uncut. If the tunnel has checksums of its own, each
// segment needs one, and a device that cuts segments does not compute those.
template <class A>
bool stays_whole(const Transit<A>& t, const Tunnel& tunnel, uint32_t overhead, const NextHop& hop, const Port& port) {
  constexpr bool is_v4 = A::family == wire::Family::ipv4;
  const bool is_simple = t.frame.segmentation == (is_v4 ? Segmentation::tcp4 : Segmentation::tcp6) &&
                         t.frame.checksum == TransportChecksum::partial && t.packet.protocol == wire::protocol::tcp &&
                         (is_v4 || t.packet.l4 - t.packet.l3 == wire::Ipv6View::header_length);
  const bool is_tagged = port.vlan != 0 || (t.packet.vlan_count != 0 && hop.port == t.frame.port);
  return is_simple && port.cuts_tunnelled && !is_tagged && !tunnel.checksum && !tunnel.remote_checksum &&
         t.packet.l3_length + overhead <= wire::Ipv4View::maximum_length && !exceeds(t, hop.mtu - overhead);
}

}  // namespace

template <class A>
void Forwarder::tell_sender(Transit<A>& t, const IcmpError& error, Answerer answerer) {
  if (!own_addresses_.may_tell(t.endpoints.source)) return;
  wire::Address source = t.endpoints.destination;
  if (answerer == Answerer::this_host && !transmitter_.route_table().is_local(source)) {
    source = {};
    source.family = A::family;
  }
  if (t.trace) t.trace->say("the sender is told: ICMP type %u code %u", error.type, error.code);
  transmitter_.send_error(ip_of(t), error, source, t.endpoints.source, t.now, t.frame, t.packet, t.out);
}
template void Forwarder::tell_sender(Transit<wire::Ipv4Address>&, const IcmpError&, Answerer);
template void Forwarder::tell_sender(Transit<wire::Ipv6Address>&, const IcmpError&, Answerer);

template <class A>
Decision Forwarder::request(Transit<A>& t, Flow<A>& flow, Reason reason) {
  states_.count_packet(t, flow, true);
  states_.advance_state(t, flow, Seen::from_client);
  flow.count_packet();
  return {send_request(t, flow, services_.destination(flow.destination), reason), flow.destination};
}
template Decision Forwarder::request(Transit<wire::Ipv4Address>&, Flow<wire::Ipv4Address>&, Reason);
template Decision Forwarder::request(Transit<wire::Ipv6Address>&, Flow<wire::Ipv6Address>&, Reason);

template <class A>
Reason Forwarder::send_request(Transit<A>& t, const Flow<A>& flow, Destination& destination, Reason reason) {
  const NextHop& hop = transmitter_.hop_to(destination, t.now);
  switch (hop.state) {
    case HopState::reachable:
      break;
    case HopState::local:
      return local_node_.deliver(t, flow);
    case HopState::no_route:
      tell_sender(t, host_unreachable<A>(), Answerer::destination);
      return Reason::no_route;
    case HopState::no_neighbour:
      transmitter_.ask_neighbour(hop, t.now, t.frame, t.packet, t.out);
      return Reason::no_neighbour;
  }
  if (hop_limit<A>(t.l3()) <= 1) {
    tell_sender(t, time_exceeded<A>(), Answerer::destination);
    return Reason::ttl_exceeded;
  }
  decrement_hop_limit<A>(t.l3());

  const Forwarding forwarding = forwarding_of(flow);
  if (forwarding == Forwarding::tunnel) return send_by_tunnel(t, destination, hop, reason);
  if (exceeds(t, hop.mtu) && !may_be_fragmented(t) && !is_fragmented_anyway(t)) {
    tell_sender(t, too_big<A>(hop.mtu), Answerer::destination);
    return Reason::too_big;
  }
  if (has_options(t)) [[unlikely]]
    record_route_of(t, t.endpoints.destination);
  if (forwarding == Forwarding::nat || forwarding == Forwarding::fullnat) {
    if (changes_sctp_fragment(t, flow.reverse.mirrored())) return Reason::sctp_fragment;
    if (t.trace) t.trace->say("leaves as %s", to_text(flow.reverse.mirrored()).c_str());
    rewrite(t, flow.reverse.mirrored());
    if ((flow.flags & (flow_flag::tells_client | flow_flag::spliced | flow_flag::announces)) != 0) {
      return send_as_client(t, flow, hop, reason);
    }
  }
  return transmitter_.send(t.frame, t.packet, ip_of(t), hop, t.out).value_or(reason);
}
template Reason Forwarder::send_request(Transit<wire::Ipv4Address>&, const Flow<wire::Ipv4Address>&, Destination&,
                                        Reason);
template Reason Forwarder::send_request(Transit<wire::Ipv6Address>&, const Flow<wire::Ipv6Address>&, Destination&,
                                        Reason);

// Sends the packet, whose addresses have been rewritten, with what the real server is told about the client.
template <class A>
Reason Forwarder::send_as_client(Transit<A>& t, const Flow<A>& flow, const NextHop& hop, Reason reason) {
  const bool is_spliced = (flow.flags & flow_flag::spliced) != 0 && !t.is_later_fragment();
  const bool announces = (flow.flags & flow_flag::announces) != 0 && !t.is_later_fragment();
  const HeaderTurn turn = is_spliced && announces ? proxy_protocol_.turn_of_header(t, flow) : HeaderTurn::no;
  if (is_spliced) splice(t, spliced_[flow.spliced], Seen::from_client);
  if (is_spliced && announces) proxy_protocol_.note_for_header(t, flow);
  if (turn == HeaderTurn::before_packet) proxy_protocol_.send_header(t, flow);

  IpPacket ip = ip_of(t);
  if (announces && (t.packet.tcp_flags & wire::tcp_flag::syn) != 0) leave_early_data_out(t, ip);
  if ((flow.flags & flow_flag::tells_client) != 0) tell_by_option(t, ip, hop.mtu);
  const Reason sent = transmitter_.send(t.frame, t.packet, ip, hop, t.out).value_or(reason);
  if (turn == HeaderTurn::after_packet) proxy_protocol_.send_header(t, flow);
  return sent;
}
template <class A>
Reason Forwarder::send_by_tunnel(Transit<A>& t, const Destination& destination, const NextHop& hop, Reason reason) {
  const Tunnel& tunnel = destination.tunnel;
  const wire::Family outer_family = destination.address.family;
  // The tunnel's other end can complete internet checksums of single packets. Segments that are cut here are complete.
  const bool partial = is_partial(t.frame);
  const bool offloads = partial && tunnel.encapsulation == Encapsulation::gue && tunnel.remote_checksum &&
                        t.frame.segmentation == Segmentation::none && t.packet.protocol != wire::protocol::sctp;
  const uint32_t overhead = tunnel_overhead(tunnel, outer_family, offloads);
  if (hop.mtu < overhead + smallest_mtu(outer_family)) return Reason::tunnel_mtu;
  const uint32_t mtu = hop.mtu - overhead;
  const bool checks_mtu = A::family == wire::Family::ipv6 || switches_.pmtu_disc;
  if (checks_mtu && exceeds(t, mtu) && !may_be_fragmented(t) && !is_fragmented_anyway(t)) {
    tell_sender(t, too_big<A>(mtu), Answerer::destination);
    return Reason::too_big;
  }
  if (has_options(t)) [[unlikely]]
    record_route_of(t, t.endpoints.destination);

  const uint32_t transport = t.packet.l4 - t.packet.l3;
  IpPacket single = ip_of(t);
  std::span<IpPacket> packets{&single, 1};
  const bool is_whole = stays_whole(t, tunnel, overhead, hop, transmitter_.route_table().ports()[hop.port]);
  if (!is_whole && t.frame.segmentation != Segmentation::none) {
    segments_.begin(A::family);
    if (!segment_packet(single, transport, t.frame.segmentation, t.frame.segment_size, segments_)) {
      return Reason::unsegmentable;
    }
    if (segments_.has_run_out()) return Reason::out_of_buffers;
    packets = segments_.all();
  } else if (!is_whole && partial && !offloads) {
    complete_checksum(single, transport, t.packet.protocol);
  }
  if (t.trace) {
    t.trace->say("wrapped for %s, %u bytes more", wire::to_string(destination.address).c_str(), overhead);
  }
  Frame frame = t.frame;
  if (is_whole) {
    frame.tunnel_length = static_cast<uint8_t>(overhead);
  } else {
    frame.checksum = TransportChecksum::complete;
    frame.segmentation = Segmentation::none;
  }
  for (IpPacket& packet : packets) {
    const OuterHeader outer{hop.source_address, destination.address, transmitter_.next_id(), switches_.pmtu_disc};
    if (!encapsulate(packet, tunnel, outer, offloads, transport, checksum_field(t.packet.protocol))) {
      // The packet would exceed the longest outer packet. Its sender must learn the MTU, even if fragments are allowed.
      tell_sender(t, too_big<A>(mtu), Answerer::destination);
      return Reason::too_big;
    }
    if (const std::optional<Reason> failed = transmitter_.send(frame, t.packet, packet, hop, t.out)) return *failed;
  }
  return reason;
}

template <class A>
std::optional<Reason> Forwarder::obstacle(Transit<A>& t, const NextHop& hop) {
  if (hop.state == HopState::local) return Reason::local_real_server;
  if (hop.state == HopState::no_route) {
    tell_sender(t, network_unreachable<A>(), Answerer::this_host);
    return Reason::no_route;
  }
  if (hop_limit<A>(t.l3()) <= 1) {
    tell_sender(t, time_exceeded<A>(), Answerer::this_host);
    return Reason::ttl_exceeded;
  }
  if (exceeds(t, hop.mtu) && !may_be_fragmented(t)) {
    tell_sender(t, too_big<A>(hop.mtu), Answerer::this_host);
    return Reason::too_big;
  }
  return std::nullopt;
}
template std::optional<Reason> Forwarder::obstacle(Transit<wire::Ipv4Address>&, const NextHop&);
template std::optional<Reason> Forwarder::obstacle(Transit<wire::Ipv6Address>&, const NextHop&);

template <class A>
Decision Forwarder::route(Transit<A>& t, Flow<A>& flow, const Endpoints<A>& to, Seen seen, Reason reason) {
  const NextHop& hop = transmitter_.hop_to(to.destination);
  if (const std::optional<Reason> in_the_way = obstacle(t, hop)) return {*in_the_way, flow.destination};
  if (changes_sctp_fragment(t, to)) return {Reason::sctp_fragment, flow.destination};
  states_.count_packet(t, flow, false);
  states_.advance_state(t, flow, seen);
  if (hop.state == HopState::no_neighbour) {
    // The frame is unchanged: whoever waits for the neighbour gives it to the director again.
    transmitter_.ask_neighbour(hop, t.now, t.frame, t.packet, t.out);
    return {Reason::no_neighbour, flow.destination};
  }
  if ((flow.flags & flow_flag::announces) != 0 && !proxy_protocol_.hear_of_header(t, flow))
    return {Reason::flow_limit, flow.destination};
  decrement_hop_limit<A>(t.l3());
  if (has_options(t)) [[unlikely]]
    record_route_of(t, hop.source_address);
  if (t.trace) t.trace->say("leaves as %s", to_text(to).c_str());
  rewrite(t, to);
  if ((flow.flags & flow_flag::spliced) != 0) splice(t, spliced_[flow.spliced], Seen::from_server);
  return {transmitter_.send(t.frame, t.packet, ip_of(t), hop, t.out).value_or(reason), flow.destination};
}
template Decision Forwarder::route(Transit<wire::Ipv4Address>&, Flow<wire::Ipv4Address>&,
                                   const Endpoints<wire::Ipv4Address>&, Seen, Reason);
template Decision Forwarder::route(Transit<wire::Ipv6Address>&, Flow<wire::Ipv6Address>&,
                                   const Endpoints<wire::Ipv6Address>&, Seen, Reason);

}  // namespace sluice::director
