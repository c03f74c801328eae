// SPDX-License-Identifier: Apache-2.0
#include "director/handshake/proxy_protocol.h"

#include "director/flows/text.h"
#include "director/handshake/own_segment.h"
#include "director/services/text.h"

namespace sluice::director {

namespace {

namespace flag = wire::tcp_flag;
using HeaderPhase = InsertedHeader::Phase;

bool has_data(wire::TcpView tcp) {
  return !tcp.payload().empty() || tcp.has(flag::fin);
}

// The sequence number after the segment's last one.
uint32_t end_of(wire::TcpView tcp) {
  return tcp.sequence() + static_cast<uint32_t>(tcp.payload().size()) + (tcp.has(flag::fin) ? 1 : 0);
}

bool is_before(uint32_t number, uint32_t other) {
  return static_cast<int32_t>(number - other) < 0;
}

InsertedHeader header_before(uint32_t first, wire::Family family, uint8_t window_scale, HeaderPhase phase) {
  InsertedHeader header;
  header.first = first;
  header.length = proxy_header_length(family);
  header.window_scale = window_scale;
  header.phase = phase;
  return header;
}

}  // namespace

// For a packet of the client: whether the header must be sent beside it, for the first time or again.
template <class A>
HeaderTurn ProxyProtocol::turn_of_header(const Transit<A>& t, const Flow<A>& flow) {
  Announcement& announcement = spliced_[flow.spliced].announcement;
  InsertedHeader& header = announcement.header;
  const wire::TcpView tcp(t.transport());
  if (tcp.has(flag::syn)) {
    announcement.syn_first = tcp.sequence() + 1;
    return HeaderTurn::no;
  }
  if (header.phase == HeaderPhase::awaited) {
    const bool completes = tcp.has(flag::ack) && tcp.acknowledgement() == announcement.server_first;
    if (!completes || tcp.has(flag::rst)) return HeaderTurn::no;
    announcement.client_next = end_of(tcp);
    if (!has_data(tcp) && tcp.sequence() == header.first) return HeaderTurn::after_packet;
    header.phase = HeaderPhase::sent;  // so the numbers of this packet are already moved
    return HeaderTurn::before_packet;
  }
  if (header.phase != HeaderPhase::sent) return HeaderTurn::no;
  if (tcp.has(flag::rst)) {
    spliced_.stop_waiting(flow.spliced);
    return HeaderTurn::no;
  }
  const bool repeats = has_data(tcp) && is_before(tcp.sequence(), announcement.client_next);
  if (is_before(announcement.client_next, end_of(tcp))) announcement.client_next = end_of(tcp);
  return repeats ? HeaderTurn::before_packet : HeaderTurn::no;
}
template HeaderTurn ProxyProtocol::turn_of_header(const Transit<wire::Ipv4Address>&, const Flow<wire::Ipv4Address>&);
template HeaderTurn ProxyProtocol::turn_of_header(const Transit<wire::Ipv6Address>&, const Flow<wire::Ipv6Address>&);

// Notes the packet of the client as the real server gets it: the header, sent now or later, carries its other fields.
template <class A>
void ProxyProtocol::note_for_header(const Transit<A>& t, const Flow<A>& flow) {
  Announcement& announcement = spliced_[flow.spliced].announcement;
  const wire::TcpView tcp(t.transport());
  if (announcement.header.phase == HeaderPhase::acknowledged || !tcp.has(flag::ack)) return;
  announcement.acknowledgement = tcp.acknowledgement();
  announcement.window = tcp.window();
  const SynOptions options = read_syn_options(tcp.options());
  announcement.has_timestamps = options.timestamps;
  announcement.timestamp = options.timestamp;
  announcement.timestamp_echo = options.timestamp_echo;
}
template void ProxyProtocol::note_for_header(const Transit<wire::Ipv4Address>&, const Flow<wire::Ipv4Address>&);
template void ProxyProtocol::note_for_header(const Transit<wire::Ipv6Address>&, const Flow<wire::Ipv6Address>&);

// If the header cannot be sent now, the timer sends it.
template <class A>
void ProxyProtocol::send_header(Transit<A>& t, const Flow<A>& flow) {
  Announcement& announcement = spliced_[flow.spliced].announcement;
  Destination& destination = services_.destination(flow.destination);
  announcement.header.phase = HeaderPhase::sent;
  std::array<uint8_t, longest_proxy_header> bytes;
  const uint8_t length =
      write_proxy_header(flow.client(), flow.virtual_address(), flow.client_port(), flow.virtual_port(), bytes);
  OwnSegment<A> segment;
  segment.endpoints = flow.reverse.mirrored();
  segment.sequence = announcement.header.first;
  segment.acknowledgement = announcement.acknowledgement;
  segment.flags = flag::psh | flag::ack;
  segment.window = announcement.window;
  segment.options = timestamps(announcement.has_timestamps, announcement.timestamp, announcement.timestamp_echo);
  segment.payload = {bytes.data(), length};
  if (t.trace) {
    t.trace->say("PROXY v2 header %s: %s, %u bytes", announcement.times_sent == 0 ? "sent" : "sent again",
                 to_text(flow.forward).c_str(), length);
  }
  send_own(transmitter_, t, segment, transmitter_.hop_to(destination, t.now), &flow);
  if (announcement.times_sent == 0) announcement.times_sent = 1;
  if (announcement.times_sent < SplicedFlows::most_headers && destination.available) {
    spliced_.wait_for_acknowledgement(flow.spliced, t.now);
  } else {
    spliced_.stop_waiting(flow.spliced);
  }
}
template void ProxyProtocol::send_header(Transit<wire::Ipv4Address>&, const Flow<wire::Ipv4Address>&);
template void ProxyProtocol::send_header(Transit<wire::Ipv6Address>&, const Flow<wire::Ipv6Address>&);

// For a real server's SYN-ACK. False if there is no room for the flow's data.
template <class A>
bool ProxyProtocol::await_handshake(const Transit<A>& t, Flow<A>& flow) {
  const wire::TcpView tcp(t.transport());
  if ((flow.flags & flow_flag::spliced) == 0) {
    SplicedFlow spliced;
    spliced.phase = SplicedFlow::Phase::spliced;
    spliced.family = A::family;
    spliced.flow = flows_.of<A>().table().index_of(flow);
    const uint32_t place = spliced_.take(spliced);
    if (place == SplicedFlows::none) return false;
    flow.spliced = place;
    flow.flags |= flow_flag::spliced;
  }
  Announcement& announcement = spliced_[flow.spliced].announcement;
  const uint32_t first = tcp.acknowledgement();
  const bool is_new = announcement.header.first != first && announcement.syn_first == first;
  if (announcement.header.is_in_connection() && !is_new) return true;
  spliced_.stop_waiting(flow.spliced);
  const uint8_t scale = read_syn_options(tcp.options()).window_scale;
  announcement = {};
  announcement.header =
      header_before(first, A::family, scale == SynOptions::no_window_scale ? uint8_t{0} : scale, HeaderPhase::awaited);
  announcement.server_first = tcp.sequence() + 1;
  announcement.syn_first = first;
  return true;
}

// For a packet of the real server that will be forwarded to the client. False if it cannot be, because there is no
// room.
template <class A>
bool ProxyProtocol::hear_of_header(Transit<A>& t, Flow<A>& flow) {
  if (t.is_later_fragment()) return true;
  const wire::TcpView tcp(t.transport());
  const bool is_syn_ack = tcp.has(flag::syn) && tcp.has(flag::ack);
  if (is_syn_ack && !await_handshake(t, flow)) return false;
  if ((flow.flags & flow_flag::spliced) == 0) return true;
  InsertedHeader& header = spliced_[flow.spliced].announcement.header;
  if (header.phase != HeaderPhase::sent || !tcp.has(flag::ack)) return true;
  if (tcp.has(flag::rst)) {
    spliced_.stop_waiting(flow.spliced);
    return true;
  }
  const uint32_t acknowledged = tcp.acknowledgement() - header.first;
  if (is_syn_ack) {
    if (t.trace) t.trace->say("the real server repeats its SYN-ACK: it has not seen the handshake's end");
    send_header(t, flow);
  } else if (acknowledged < header.length) {
    if (has_data(tcp)) return true;
    if (t.trace) t.trace->say("the real server acknowledges nothing of the PROXY header");
    send_header(t, flow);
  } else if (!is_before(tcp.acknowledgement(), header.first)) {
    header.phase = HeaderPhase::acknowledged;
    spliced_.stop_waiting(flow.spliced);
    if (t.trace) t.trace->say("the real server has the PROXY header");
  }
  return true;
}
template bool ProxyProtocol::hear_of_header(Transit<wire::Ipv4Address>&, Flow<wire::Ipv4Address>&);
template bool ProxyProtocol::hear_of_header(Transit<wire::Ipv6Address>&, Flow<wire::Ipv6Address>&);

// Called after the SYN proxy's own ACK to the real server, `handshake`.
template <class A>
void ProxyProtocol::announce_joined(Transit<A>& t, const Flow<A>& flow, const OwnSegment<A>& handshake) {
  SplicedFlow& spliced = spliced_[flow.spliced];
  Announcement& announcement = spliced.announcement;
  if (announcement.header.phase == HeaderPhase::none) {
    announcement.header = header_before(handshake.sequence, A::family, spliced.splice.real_scale, HeaderPhase::sent);
    announcement.client_next = handshake.sequence;
  }
  if (announcement.header.phase != HeaderPhase::sent) return;
  announcement.acknowledgement = handshake.acknowledgement;
  announcement.window = handshake.window;
  announcement.has_timestamps = handshake.options.timestamps;
  announcement.timestamp = handshake.options.timestamp;
  announcement.timestamp_echo = handshake.options.timestamp_echo;
  send_header(t, flow);
}
template void ProxyProtocol::announce_joined(Transit<wire::Ipv4Address>&, const Flow<wire::Ipv4Address>&,
                                             const OwnSegment<wire::Ipv4Address>&);
template void ProxyProtocol::announce_joined(Transit<wire::Ipv6Address>&, const Flow<wire::Ipv6Address>&,
                                             const OwnSegment<wire::Ipv6Address>&);

}  // namespace sluice::director
