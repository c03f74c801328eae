// SPDX-License-Identifier: Apache-2.0
#include "director/stages/host_answers.h"

#include "director/handshake/own_segment.h"
#include "director/outgoing/icmp_errors.h"
#include "director/outgoing/ip_options.h"
#include "wire/icmpv6.h"
#include "wire/ipv6.h"
#include "wire/tcp.h"
#include "wire/udp.h"

namespace sluice::director {

namespace {

namespace flag = wire::tcp_flag;

// net.ipv4.icmp_msgs_per_sec and icmp_msgs_burst, for both families.
constexpr uint32_t errors_a_second = 1000, errors_at_once = 50;

constexpr uint8_t ecn_bits = 0x03;  // RFC 3168: a reset does not belong to a connection that has negotiated ECN

// Protocols that the kernel's stack accepts although no service can have them.
constexpr uint8_t igmp = 2, udp_lite = 136;

// Packets that the director does not use, or refuses although a host's stack would answer them.
bool is_unwanted(const Decision& decision) {
  switch (decision.reason) {
    case Reason::no_service:
    case Reason::other_protocol:
    case Reason::not_opening:
    case Reason::ftp_data:
    case Reason::hairpin_refused:
    case Reason::egress_unsolicited:
      return true;
    case Reason::syn_cookie_invalid:
      return decision.destination == no_destination;
    default:
      return false;
  }
}

// Whether the address is neither a multicast nor the broadcast address.
template <class A>
bool is_one_host(const A& address) {
  const uint8_t first = wire::Address(address).bytes[0];
  if constexpr (A::family == wire::Family::ipv4) {
    return (first & 0xf0) != 0xe0 && address.raw != UINT32_MAX;
  } else {
    return first != 0xff;
  }
}

// A partial checksum cannot be wrong, because a device has yet to compute it. The same holds for a frame with segments.
template <class A>
bool is_checksum_right(const Transit<A>& t) {
  if (t.frame.checksum == TransportChecksum::partial || t.frame.segmentation != Segmentation::none) return true;
  wire::Bytes covered = t.transport();
  if (t.packet.protocol == wire::protocol::udp) {
    const wire::UdpView udp(covered);
    // In IPv6 a datagram must have a checksum, except in tunnels (RFC 8200 8.1).
    if (udp.checksum() == wire::no_udp_checksum) return A::family == wire::Family::ipv4;
    if (udp.length() < covered.size()) covered = covered.first(udp.length());
  }
  const auto length = static_cast<uint32_t>(covered.size());
  const wire::Sum pseudo_header =
      wire::pseudo_header_sum(t.endpoints.source, t.endpoints.destination, t.packet.protocol, length);
  return wire::fold(wire::sum_bytes(covered, pseudo_header)) == 0xffff;
}

// The offset at which the IPv6 packet names the protocol of its transport header.
uint32_t place_of_protocol(wire::Bytes packet, uint32_t transport) {
  uint32_t place = 6, header = wire::Ipv6View::header_length;
  while (header + 2 <= transport && wire::is_extension_header(packet[place])) {
    const uint8_t kind = packet[place];
    place = header;
    header += kind == wire::protocol::fragment
                  ? static_cast<uint32_t>(wire::Ipv6FragmentView::header_length)
                  : static_cast<uint32_t>(wire::extension_header_length(kind, packet.data() + header));
  }
  return place;
}

// RFC 8200 4: an unrecognized next header.
constexpr uint8_t unrecognized_next_header = 1;

template <class A>
IcmpError protocol_unreachable(const Transit<A>& t) {
  if constexpr (is_v4<A>) {
    return {wire::icmp_type::unreachable, wire::icmp_code::protocol, 0};
  } else {
    return {wire::icmpv6_type::parameter_problem, unrecognized_next_header,
            place_of_protocol(t.ip(), t.packet.l4 - t.packet.l3)};
  }
}

// As in a host's stack, the segment gets the type of service of the packet that it answers, and returns a recorded
// route.
template <class A>
void answer_like(const Transit<A>& t, IpPacket& answer) {
  const wire::MutableBytes bytes(answer.data, answer.length);
  if constexpr (A::family == wire::Family::ipv6) {
    const uint8_t traffic_class = wire::Ipv6View(t.ip()).traffic_class();
    wire::MutableIpv6View(bytes).set_traffic_class(static_cast<uint8_t>(traffic_class & ~ecn_bits));
  } else {
    constexpr uint32_t header = wire::Ipv4View::minimum_header_length;
    const wire::Ipv4View cause(t.ip());
    std::array<uint8_t, echoed_options_room> options{};
    uint32_t added = 0;
    if (has_options(t)) {
      added = static_cast<uint32_t>(answered_options(cause.options(), cause.destination(), options.data()));
      std::memmove(answer.data - added, answer.data, header);
      answer.data -= added;
      answer.length += added;
      std::memcpy(answer.data + header, options.data(), added);
      answer.data[0] = static_cast<uint8_t>(4 << 4 | (header + added) / 4);
    }
    wire::MutableIpv4View ip(wire::MutableBytes(answer.data, answer.length));
    ip.set_tos(static_cast<uint8_t>(cause.tos() & ~ecn_bits));
    ip.set_total_length(static_cast<uint16_t>(answer.length));
    wire::MutableIpv4View(wire::MutableBytes(answer.data, header + added)).fill_checksum();
  }
}

}  // namespace

HostAnswers::HostAnswers(Transmitter& transmitter, const ServiceTable& services, const LocalPools& pools,
                         const OwnAddresses& own_addresses, const core::Share& share, bool limits_icmp)
    : transmitter_(transmitter),
      services_(services),
      pools_(pools),
      own_addresses_(own_addresses),
      budget_(share.of(errors_a_second), share.of(errors_at_once)),
      limits_icmp_(limits_icmp) {}

// Whether ingress took the packet from the host: steal.bpf.c decides that by the destination and by firewall marks.
template <class A>
bool HostAnswers::is_taken(const Transit<A>& t) const {
  const wire::Address destination = t.endpoints.destination;
  const uint16_t port = t.endpoints.destination_port;
  const bool is_hosts = transmitter_.route_table().is_local(destination);
  const bool is_pools = pools_.is_local_address(destination);
  if (!is_hosts && (is_pools || services_.is_virtual_address(destination))) return true;
  if (!t.packet.has_ports) return false;
  const Service* service = services_.find(t.packet.protocol, destination, port, t.frame.mark);
  if (service != nullptr && (service->key.mark != 0 || service->key.port == port || service->key.port == 0)) {
    return is_one_host(t.endpoints.destination);
  }
  return is_pools && pools_.has_port(destination, port);
}

template <class A>
Decision HostAnswers::answer(Transit<A>& t, const Decision& decision) {
  if (!is_enabled_ || !is_unwanted(decision) || t.packet.fragment != wire::Fragment::none) return decision;
  if (!is_taken(t) || !own_addresses_.may_tell(t.endpoints.source)) return decision;
  const std::optional<Reason> told = tell(t);
  if (!told) return decision;
  Decision answered = decision;
  // Wrong cookies keep their own reason, because they may be an attack.
  if (decision.reason != Reason::syn_cookie_invalid || *told == Reason::no_neighbour) answered.reason = *told;
  return answered;
}
template Decision HostAnswers::answer(Transit<wire::Ipv4Address>&, const Decision&);
template Decision HostAnswers::answer(Transit<wire::Ipv6Address>&, const Decision&);

// Returns nothing if a host would not answer.
template <class A>
std::optional<Reason> HostAnswers::tell(Transit<A>& t) {
  const uint8_t protocol = t.packet.protocol;
  const bool is_tcp = protocol == wire::protocol::tcp, is_udp = protocol == wire::protocol::udp;
  if (is_tcp && (t.packet.tcp_flags & flag::rst) != 0) return std::nullopt;
  if (protocol == wire::protocol::icmp || protocol == wire::protocol::icmpv6) return std::nullopt;
  if (protocol == igmp || protocol == udp_lite || protocol == wire::protocol::no_next_header) return std::nullopt;
  if ((is_tcp || is_udp) && !is_checksum_right(t)) {
    if (t.trace) t.trace->say("its checksum is wrong: nobody is told");
    return std::nullopt;
  }
  const NextHop& hop = transmitter_.hop_to(t.endpoints.source);
  if (hop.state == HopState::no_neighbour) {
    // The frame is unchanged: whoever waits for the neighbour gives it to the director again.
    transmitter_.ask_neighbour(hop, t.now, t.frame, t.packet, t.out);
    return Reason::no_neighbour;
  }
  if (hop.state != HopState::reachable) return std::nullopt;
  if (is_tcp) return reset(t, hop);
  if (is_udp) return send_error(t, port_unreachable<A>(), Reason::port_unreachable);
  return send_error(t, protocol_unreachable(t), Reason::protocol_unreachable);
}

// RFC 9293 3.10.7.1: the reset has the sequence number that the sender expects. If the sender has named none, the reset
// acknowledges all that it has sent.
template <class A>
std::optional<Reason> HostAnswers::reset(Transit<A>& t, const NextHop& hop) {
  uint8_t* buffer = transmitter_.take_buffer(longest_own_segment);
  if (buffer == nullptr) return Reason::out_of_buffers;
  const wire::TcpView tcp(t.transport());
  OwnSegment<A> reset;
  reset.endpoints = t.endpoints.mirrored();
  reset.flags = flag::rst;
  if (tcp.has(flag::ack)) {
    reset.sequence = tcp.acknowledgement();
  } else {
    reset.flags |= flag::ack;
    const uint32_t counted = (tcp.has(flag::syn) ? 1u : 0u) + (tcp.has(flag::fin) ? 1u : 0u);
    reset.acknowledgement = tcp.sequence() + counted + (t.packet.end() - t.packet.payload);
  }
  IpPacket packet = write(reset, buffer);
  answer_like(t, packet);
  if (t.trace) t.trace->say("nobody has this connection: the sender is reset");
  Frame frame;
  frame.port = t.frame.port;
  return transmitter_.send(frame, t.packet, packet, hop, t.out).value_or(Reason::connection_reset);
}

template <class A>
std::optional<Reason> HostAnswers::send_error(Transit<A>& t, const IcmpError& error, Reason reason) {
  if (limits_icmp_ && !budget_.admit(t.now)) return reason;
  const IpPacket about{t.l3(), t.packet.l3_length, A::family};
  // The sender must find its packet in the quotation as it was on the wire.
  if (t.frame.checksum == TransportChecksum::partial) {
    complete_checksum(about, t.packet.l4 - t.packet.l3, t.packet.protocol);
    t.frame.checksum = TransportChecksum::complete;
  }
  if (t.trace) t.trace->say("nobody here listens: the sender is told, ICMP type %u code %u", error.type, error.code);
  transmitter_.send_error(about, error, t.endpoints.destination, t.endpoints.source, t.now, t.frame, t.packet, t.out);
  return reason;
}

}  // namespace sluice::director
