// SPDX-License-Identifier: Apache-2.0
// Packets of known flows, on their way to a real server (request) or through the director as their router (route_reply).
#include "lvs/director.h"
#include "lvs/rewrite.h"
#include "wire/icmp.h"
#include "wire/icmpv6.h"

namespace sluice::lvs {

namespace {

// The smallest MTU that a link may have: below it a tunnel has no room (RFC 791, RFC 8200).
constexpr uint32_t smallest_mtu_v4 = 68, smallest_mtu_v6 = 1280;

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

template <class A>
constexpr IcmpError too_big(uint32_t mtu) {
  if constexpr (A::family == wire::Family::ipv4) {
    return {wire::icmp_type::unreachable, wire::icmp_code::fragmentation_needed, mtu};
  } else {
    return {wire::icmpv6_type::packet_too_big, 0, mtu};
  }
}

template <class A>
constexpr IcmpError time_exceeded() {
  return {A::family == wire::Family::ipv4 ? wire::icmp_type::time_exceeded : wire::icmpv6_type::time_exceeded, 0, 0};
}

template <class A>
constexpr IcmpError host_unreachable() {
  if constexpr (A::family == wire::Family::ipv4) {
    return {wire::icmp_type::unreachable, wire::icmp_code::host, 0};
  } else {
    return {wire::icmpv6_type::unreachable, wire::icmpv6_code::address, 0};
  }
}

template <class A>
constexpr IcmpError network_unreachable() {
  return {A::family == wire::Family::ipv4 ? wire::icmp_type::unreachable : wire::icmpv6_type::unreachable, 0, 0};
}

template <class A>
bool is_icmp(const Transit<A>& t) {
  return t.packet.protocol == (A::family == wire::Family::ipv4 ? wire::protocol::icmp : wire::protocol::icmpv6);
}

// Whether what leaves is longer than the way carries. A frame that a device will segment counts by its segments.
template <class A>
bool exceeds(const Transit<A>& t, uint32_t mtu) {
  if (t.frame.segmentation == Segmentation::none) return t.packet.l3_length > mtu;
  return t.packet.payload - t.packet.l3 + t.frame.segment_size > mtu;
}

}  // namespace

template <class A>
void Director::tell_sender(Transit<A>& t, const IcmpError& error) {
  const wire::Address destination = t.endpoints.destination;
  wire::Address source;
  source.family = A::family;
  if (surroundings().is_local(destination) || services_.is_virtual_address(destination)) source = destination;
  if (t.trace) t.trace->say("the sender is told: ICMP type %u code %u", error.type, error.code);
  outlet_.send_error(ip_of(t), error, source, t.endpoints.source, t.now, t.frame, t.packet, t.out);
}
template void Director::tell_sender(Transit<wire::Ipv4Address>&, const IcmpError&);
template void Director::tell_sender(Transit<wire::Ipv6Address>&, const IcmpError&);

template <class A>
Decision Director::request(Transit<A>& t, Flow<A>& flow, Reason reason) {
  Destination& destination = services_.destination(flow.destination);
  if (destination.available) {
    destination.counters.packets_in++;
    destination.counters.bytes_in += t.packet.l3_length;
    destination.service->counters.packets_in++;
    destination.service->counters.bytes_in += t.packet.l3_length;
  }
  advance_state(t, flow, Seen::from_client);
  flow.count_packet();
  const Decision decision{send_request(t, flow, destination, reason), flow.destination};
  return decision;
}
template Decision Director::request(Transit<wire::Ipv4Address>&, Flow<wire::Ipv4Address>&, Reason);
template Decision Director::request(Transit<wire::Ipv6Address>&, Flow<wire::Ipv6Address>&, Reason);

template <class A>
Reason Director::send_request(Transit<A>& t, const Flow<A>& flow, Destination& destination, Reason reason) {
  const NextHop& hop = outlet_.hop_to(destination);
  switch (hop.state) {
    case HopState::reachable:
      break;
    case HopState::local:
      return Reason::local_real_server;
    case HopState::no_route:
      tell_sender(t, host_unreachable<A>());
      return Reason::no_route;
    case HopState::no_neighbour:
      return Reason::no_neighbour;
  }
  if (hop_limit<A>(t.l3()) <= 1) {
    tell_sender(t, time_exceeded<A>());
    return Reason::ttl_exceeded;
  }
  decrement_hop_limit<A>(t.l3());

  const Forwarding forwarding = forwarding_of(flow);
  if (forwarding == Forwarding::tunnel) return send_by_tunnel(t, destination, hop, reason);
  // Related ICMP errors are never answered by errors.
  if (exceeds(t, hop.mtu) && !may_be_fragmented(t) && !is_icmp(t)) {
    tell_sender(t, too_big<A>(hop.mtu));
    return Reason::too_big;
  }
  if (forwarding == Forwarding::nat || forwarding == Forwarding::fullnat) {
    if (changes_sctp_fragment(t, flow.reverse.mirrored())) return Reason::sctp_fragment;
    if (t.trace) t.trace->say("destination becomes %s", to_text(flow.reverse.mirrored()).c_str());
    rewrite(t, flow.reverse.mirrored());
  }
  outlet_.send(t.frame, t.packet, ip_of(t), hop, t.out);
  return reason;
}
template Reason Director::send_request(Transit<wire::Ipv4Address>&, const Flow<wire::Ipv4Address>&, Destination&,
                                       Reason);
template Reason Director::send_request(Transit<wire::Ipv6Address>&, const Flow<wire::Ipv6Address>&, Destination&,
                                       Reason);

template <class A>
Reason Director::send_by_tunnel(Transit<A>& t, const Destination& destination, const NextHop& hop, Reason reason) {
  const Tunnel& tunnel = destination.tunnel;
  const wire::Family outer_family = destination.address.family;
  const bool partial = t.frame.checksum == TransportChecksum::partial;
  const uint32_t overhead = tunnel_overhead(tunnel, outer_family, partial);
  const uint32_t smallest = outer_family == wire::Family::ipv4 ? smallest_mtu_v4 : smallest_mtu_v6;
  if (hop.mtu < overhead + smallest) return Reason::tunnel_mtu;
  const uint32_t mtu = hop.mtu - overhead;
  const bool checks_mtu = A::family == wire::Family::ipv6 || switches_.pmtu_disc;
  if (checks_mtu && exceeds(t, mtu) && !may_be_fragmented(t) && !is_icmp(t)) {
    tell_sender(t, too_big<A>(mtu));
    return Reason::too_big;
  }

  const uint32_t transport = t.packet.l4 - t.packet.l3;
  std::vector<IpPacket> packets;
  if (t.frame.segmentation != Segmentation::none) {
    OutletPieces sink(outlet_, packets, A::family);
    if (!segment_packet(ip_of(t), transport, t.frame.segmentation, t.frame.segment_size, sink)) {
      return Reason::unsegmentable;
    }
  } else {
    packets.push_back(ip_of(t));
    const bool offloaded = tunnel.encapsulation == Encapsulation::gue && tunnel.remote_checksum;
    if (partial && !offloaded) complete_checksum(packets[0], transport, t.packet.protocol);
  }
  if (t.trace) {
    t.trace->say("wrapped for %s, %u bytes more", wire::to_string(destination.address).c_str(), overhead);
  }
  Frame frame = t.frame;
  frame.checksum = TransportChecksum::complete;
  frame.segmentation = Segmentation::none;
  for (IpPacket& packet : packets) {
    const OuterHeader outer{hop.source_address, destination.address, outlet_.next_id(), switches_.pmtu_disc};
    encapsulate(packet, tunnel, outer, partial && packets.size() == 1, transport, checksum_field(t.packet.protocol));
    outlet_.send(frame, t.packet, packet, hop, t.out);
  }
  return reason;
}

template <class A>
Decision Director::route_reply(Transit<A>& t, Flow<A>& flow, const Endpoints<A>& to, Seen seen, Reason reason) {
  const NextHop& hop = outlet_.hop_to(to.destination);
  const Decision decision{reason, flow.destination};
  if (hop.state == HopState::local) return {Reason::local_real_server, flow.destination};
  if (hop.state == HopState::no_route) {
    tell_sender(t, network_unreachable<A>());
    return {Reason::no_route, flow.destination};
  }
  if (hop_limit<A>(t.l3()) <= 1) {
    tell_sender(t, time_exceeded<A>());
    return {Reason::ttl_exceeded, flow.destination};
  }
  if (exceeds(t, hop.mtu) && !may_be_fragmented(t)) {
    tell_sender(t, too_big<A>(hop.mtu));
    return {Reason::too_big, flow.destination};
  }
  if (changes_sctp_fragment(t, to)) return {Reason::sctp_fragment, flow.destination};
  decrement_hop_limit<A>(t.l3());
  if (flow.destination != no_destination) {
    Destination& destination = services_.destination(flow.destination);
    if (destination.available) {
      destination.counters.packets_out++;
      destination.counters.bytes_out += t.packet.l3_length;
      destination.service->counters.packets_out++;
      destination.service->counters.bytes_out += t.packet.l3_length;
    }
  }
  advance_state(t, flow, seen);
  if (hop.state == HopState::no_neighbour) return {Reason::no_neighbour, flow.destination};
  if (t.trace) t.trace->say("leaves as %s", to_text(to).c_str());
  rewrite(t, to);
  outlet_.send(t.frame, t.packet, ip_of(t), hop, t.out);
  return decision;
}

}  // namespace sluice::lvs
