// SPDX-License-Identifier: Apache-2.0
#include "director/handshake/syn_proxy.h"

#include <algorithm>

#include "director/flows/spliced_flows.h"
#include "director/flows/text.h"
#include "director/handshake/own_segment.h"
#include "director/services/text.h"
#include "wire/tcp.h"

namespace sluice::director {

namespace {

namespace flag = wire::tcp_flag;
using Phase = SplicedFlow::Phase;

// How long clients are not promised timestamps after a real server has declined them. Then the next client tries again.
constexpr Time believed_without_timestamps = 600 * second;
constexpr Time service_mtu_lifetime = 1 * second;
constexpr Time timestamp_unit = second / 1000;  // a millisecond, as in Linux

// Every host can receive this much (RFC 791, RFC 8200): no path is assumed to be narrower.
constexpr uint32_t least_mtu_v4 = 576, least_mtu_v6 = 1280;

// When the director answers in a host's place, it makes a host's checks. Not for a partial checksum, which a device
// will compute, nor for a fragment, whose checksum covers more than the fragment.
template <class A>
bool is_checksum_right(const Transit<A>& t) {
  const bool is_whole = t.packet.fragment == wire::Fragment::none && t.frame.segmentation == Segmentation::none;
  if (t.frame.checksum == TransportChecksum::partial || !is_whole) return true;
  const wire::Sum pseudo_header =
      wire::pseudo_header_sum(t.endpoints.source, t.endpoints.destination, wire::protocol::tcp, t.packet.l4_length());
  return wire::fold(wire::sum_bytes(t.transport(), pseudo_header)) == 0xffff;
}

template <class A>
CookieFlow cookie_flow(const Transit<A>& t) {
  const Endpoints<A>& e = t.endpoints;
  return {e.source, e.destination, e.source_port, e.destination_port};
}

// The window as it is written without scaling.
uint16_t unscaled(uint16_t window, uint8_t scale) {
  if (scale == SynOptions::no_window_scale) return window;
  return static_cast<uint16_t>(std::min<uint32_t>(uint32_t{window} << scale, 0xffff));
}

SplicedOutcome done(const Decision& decision) {
  return {SplicedStep::done, decision};
}

// Notes the latest values of the client that the real server will be sent in the client's name.
void note_client(SplicedFlow& spliced, wire::TcpView tcp) {
  spliced.client_window = tcp.window();
  const SynOptions options = read_syn_options(tcp.options());
  if (options.timestamps) spliced.client.options.timestamp = options.timestamp;
}

}  // namespace

template <class A>
void SynHandshake::ask_again(Transit<A>& t, Flow<A>& flow) {
  const bool may_answer = services_.destination(flow.destination).available;
  if (spliced_[flow.spliced].syns >= SplicedFlows::most_syns || !may_answer) {
    refuse(t, flow);
  } else {
    send_syn(t, flow);
  }
}
template void SynHandshake::ask_again(Transit<wire::Ipv4Address>&, Flow<wire::Ipv4Address>&);
template void SynHandshake::ask_again(Transit<wire::Ipv6Address>&, Flow<wire::Ipv6Address>&);

uint32_t SynHandshake::mtu_to_servers(Service& service, Time now) {
  ProxyState& proxy = service.proxy;
  if (now < proxy.mtu_until) return proxy.mtu;
  proxy.mtu = UINT32_MAX;
  for (Destination* destination : service.destinations) {
    const NextHop& hop = transmitter_.hop_to(*destination, now);
    if (hop.mtu != 0) proxy.mtu = std::min(proxy.mtu, hop.mtu);
  }
  proxy.mtu_until = now + service_mtu_lifetime;
  return proxy.mtu;
}

template <class A>
Opening SynHandshake::answer_opening(Transit<A>& t, Service& service) {
  const uint8_t flags = t.packet.tcp_flags;
  if (t.packet.protocol != wire::protocol::tcp || (flags & flag::rst) != 0) return {};
  const bool is_other_port = service.key.mark == 0 && service.key.port != t.endpoints.destination_port;
  if (service.destinations.empty() || (is_other_port && !service.is_persistent())) return {};
  const bool automatic = service.settings.syn_proxy == SynProxy::automatic;
  if ((flags & (flag::syn | flag::ack)) == flag::syn) {
    if (automatic && service.proxy.half_open <= half_open_limit_) return {};
    if (automatic && t.trace) {
      t.trace->say("%u flows of the service are half open, more than %u: the SYN proxy answers",
                   service.proxy.half_open, half_open_limit_);
    }
    return {send_cookie(t, service), std::nullopt};
  }
  if (automatic && t.now >= service.proxy.cookies_until) return {};
  return open_by_cookie(t, service);
}
template Opening SynHandshake::answer_opening(Transit<wire::Ipv4Address>&, Service&);
template Opening SynHandshake::answer_opening(Transit<wire::Ipv6Address>&, Service&);

template <class A>
Decision SynHandshake::send_cookie(Transit<A>& t, Service& service) {
  if (!is_checksum_right(t)) return {Reason::bad_tcp_checksum, no_destination, &service};
  secrets_.renew(t.now, random_);
  const wire::TcpView syn(t.transport());
  const SynOptions offered = read_syn_options(syn.options());
  const NextHop& hop = transmitter_.hop_to(t.endpoints.source);
  constexpr uint32_t least_mtu = A::family == wire::Family::ipv4 ? least_mtu_v4 : least_mtu_v6;
  const uint32_t mtu = std::max(std::min(hop.mtu, mtu_to_servers(service, t.now)), least_mtu);

  OwnSegment<A> answer;
  answer.endpoints = t.endpoints.mirrored();
  answer.sequence = make_cookie(cookie_flow(t), syn.sequence(), offered, secrets_);
  answer.acknowledgement = syn.sequence() + 1;
  answer.flags = flag::syn | flag::ack;
  const bool has_timestamps = offered.timestamps && t.now >= service.proxy.no_timestamps_until;
  answer.options = timestamps(has_timestamps, static_cast<uint32_t>(t.now / timestamp_unit), offered.timestamp);
  answer.options.mss = static_cast<uint16_t>(mtu - ip_header_length<A> - wire::TcpView::minimum_header_length);
  answer.options.sack_permitted = offered.sack_permitted;
  if (offered.window_scale != SynOptions::no_window_scale) answer.options.window_scale = promised_window_scale;

  if (const std::optional<Reason> failed = send_own(transmitter_, t, answer, hop))
    return {*failed, no_destination, &service};
  service.proxy.cookies_until = t.now + 2 * CookieSecrets::slot_length;
  if (t.trace) {
    t.trace->say("virtual service %s: answered with a cookie, MSS %u; nothing is kept until the client returns it",
                 to_text(service.key).c_str(), answer.options.mss);
  }
  return {Reason::syn_cookie_sent, no_destination, &service};
}

template <class A>
Opening SynHandshake::open_by_cookie(Transit<A>& t, Service& service) {
  if (!is_checksum_right(t)) return {Decision{Reason::bad_tcp_checksum, no_destination, &service}, std::nullopt};
  secrets_.renew(t.now, random_);
  const wire::TcpView ack(t.transport());
  ProvenClient proven;
  proven.cookie = ack.acknowledgement() - 1;
  std::optional<SynOptions> opened;
  if ((t.packet.tcp_flags & (flag::syn | flag::ack)) == flag::ack) {
    proven.sequence = ack.sequence() - 1;
    opened = open_cookie(cookie_flow(t), proven.sequence, proven.cookie, secrets_);
    const bool may_be_probe = ack.payload().empty() && !ack.has(flag::fin);
    if (!opened && may_be_probe) {
      proven.sequence = ack.sequence();
      opened = open_cookie(cookie_flow(t), proven.sequence, proven.cookie, secrets_);
    }
  }
  if (!opened) {
    if (t.trace) t.trace->say("no flow, and its acknowledgement is no cookie that was sent in the last minutes");
    return {Decision{Reason::syn_cookie_invalid, no_destination, &service}, std::nullopt};
  }
  proven.options = *opened;
  const SynOptions brought = read_syn_options(ack.options());
  proven.options.timestamps = brought.timestamps;
  proven.options.timestamp = brought.timestamp;
  proven.promised_timestamp = brought.timestamp_echo;
  if (t.trace) t.trace->say("its acknowledgement is a good cookie: the client is there, MSS %u", proven.options.mss);
  return {std::nullopt, proven};
}

template <class A>
void SynHandshake::reset_unadmitted(Transit<A>& t) {
  if (t.trace) t.trace->say("the client, who is connected already, is reset");
  reset_sender(t);
}
template void SynHandshake::reset_unadmitted(Transit<wire::Ipv4Address>&);
template void SynHandshake::reset_unadmitted(Transit<wire::Ipv6Address>&);

template <class A>
Decision SynHandshake::greet_server(Transit<A>& t, Flow<A>& flow, ProvenClient& proven) {
  const wire::TcpView ack(t.transport());
  proven.has_flow = true;
  SplicedFlow spliced;
  spliced.client = proven;
  note_client(spliced, ack);
  const uint32_t place = spliced_.take(spliced);
  if (place == SplicedFlows::none) {
    proven.has_flow = false;
    flows_.of<A>().end(flow);
    return {Reason::flow_limit};
  }
  spliced_[place].family = A::family;
  spliced_[place].flow = flows_.of<A>().table().index_of(flow);
  flow.spliced = place;
  flow.flags |= flow_flag::spliced;
  states_.count_packet(t, flow, true);
  flow.count_packet();
  return {send_syn(t, flow), flow.destination};
}
template Decision SynHandshake::greet_server(Transit<wire::Ipv4Address>&, Flow<wire::Ipv4Address>&, ProvenClient&);
template Decision SynHandshake::greet_server(Transit<wire::Ipv6Address>&, Flow<wire::Ipv6Address>&, ProvenClient&);

template <class A>
Reason SynHandshake::send_syn(Transit<A>& t, Flow<A>& flow) {
  SplicedFlow& spliced = spliced_[flow.spliced];
  spliced.syns++;
  spliced_.wait_for_answer(flow.spliced, t.now);
  act_as(t, flow, Seen::from_client, flag::syn);
  OwnSegment<A> syn;
  syn.endpoints = flow.reverse.mirrored();
  syn.sequence = spliced.client.sequence;
  syn.flags = flag::syn;
  syn.window = unscaled(spliced.client_window, spliced.client.options.window_scale);
  syn.options = spliced.client.options;
  const NextHop& hop = transmitter_.hop_to(services_.destination(flow.destination), t.now);
  if (t.trace) t.trace->say("SYN number %u to the real server: %s", spliced.syns, to_text(syn.endpoints).c_str());
  const std::optional<Reason> failed = send_own(transmitter_, t, syn, hop, &flow);
  if (failed == Reason::no_route) refuse(t, flow);
  return failed.value_or(Reason::syn_proxy_handshake);
}

template <class A>
SplicedOutcome SynHandshake::spliced(Transit<A>& t, FoundFlow<A> found) {
  Flow<A>& flow = *found.flow;
  if (!spliced_[flow.spliced].is_greeted()) return {};
  if (t.is_later_fragment()) {
    if (spliced_[flow.spliced].phase == Phase::spliced) return {};
    return done({Reason::syn_proxy_handshake, flow.destination});
  }
  return found.direction == Direction::forward ? from_spliced_client(t, flow) : from_spliced_server(t, flow);
}
template SplicedOutcome SynHandshake::spliced(Transit<wire::Ipv4Address>&, FoundFlow<wire::Ipv4Address>);
template SplicedOutcome SynHandshake::spliced(Transit<wire::Ipv6Address>&, FoundFlow<wire::Ipv6Address>);

// The real server has answered, for good or bad: the flow no longer waits for it.
template <class A>
void SynHandshake::leave_greeting(const Flow<A>& flow, SplicedFlow::Phase phase) {
  spliced_[flow.spliced].phase = phase;
  spliced_.stop_waiting(flow.spliced);
}

template <class A>
SplicedOutcome SynHandshake::from_spliced_client(Transit<A>& t, Flow<A>& flow) {
  SplicedFlow& spliced = spliced_[flow.spliced];
  const uint8_t flags = t.packet.tcp_flags;
  const wire::TcpView tcp(t.transport());
  const SplicedOutcome ours = done({Reason::syn_proxy_handshake, flow.destination});
  if ((flags & (flag::syn | flag::ack | flag::rst)) == flag::syn) {
    if (spliced.phase == Phase::spliced && !is_reusable(static_cast<TcpState>(flow.state), 1, false)) return {};
    if (spliced.phase == Phase::greeting && tcp.sequence() == spliced.client.sequence) return ours;  // an old duplicate
    if (t.trace) t.trace->say("a new connection on the same ports: the spliced flow ends");
    flows_.of<A>().end(flow);
    return {SplicedStep::opens_anew, {}};
  }
  if (spliced.phase == Phase::spliced) return {};
  if ((flags & flag::rst) != 0) {
    if (spliced.phase == Phase::closed || tcp.sequence() != spliced.client.sequence + 1) return ours;
    if (t.trace) t.trace->say("the client has reset the connection before the real server answered");
    act_as(t, flow, Seen::from_server, flag::rst);
    leave_greeting(flow, Phase::closed);
    return ours;
  }
  if (spliced.phase == Phase::closed) {
    if (t.trace) t.trace->say("the connection has failed: the client is reset again");
    reset_sender(t);
    return ours;
  }
  if ((flags & flag::ack) == 0 || tcp.acknowledgement() != spliced.client.cookie + 1) {
    return done({Reason::syn_cookie_invalid, flow.destination});
  }
  note_client(spliced, tcp);
  if (t.trace) t.trace->say("the real server has not answered yet; what the client sends it will send again");
  return ours;
}

template <class A>
SplicedOutcome SynHandshake::from_spliced_server(Transit<A>& t, Flow<A>& flow) {
  const Phase phase = spliced_[flow.spliced].phase;
  if (phase == Phase::spliced && (t.packet.tcp_flags & flag::syn) == 0) return {};
  if (phase != Phase::closed) return done(server_greets(t, flow));
  if ((t.packet.tcp_flags & flag::rst) == 0) reset_sender(t);
  return done({Reason::syn_proxy_handshake, flow.destination});
}

// Handles the real server's part of the handshake as a client in SYN-SENT does (RFC 9293 3.10.7.3).
template <class A>
Decision SynHandshake::server_greets(Transit<A>& t, Flow<A>& flow) {
  if (!is_checksum_right(t)) return {Reason::bad_tcp_checksum, flow.destination};
  SplicedFlow& spliced = spliced_[flow.spliced];
  const wire::TcpView tcp(t.transport());
  const bool is_reset = tcp.has(flag::rst);
  const bool acknowledges = tcp.has(flag::ack) && tcp.acknowledgement() == spliced.client.sequence + 1;
  const Decision ours{Reason::syn_proxy_handshake, flow.destination};
  if (spliced.phase == Phase::spliced) {
    if (acknowledges && tcp.sequence() + spliced.splice.sequence == spliced.client.cookie) {
      if (t.trace) t.trace->say("the real server repeats its SYN-ACK: acknowledged again");
      acknowledge_both(t, flow, read_syn_options(tcp.options()));
      return ours;
    }
    if (t.trace) t.trace->say("a SYN-ACK of another connection than the one that was spliced: both end");
    reset_sender(t);
    act_as(t, flow, Seen::from_server, flag::rst);
    leave_greeting(flow, Phase::closed);
    return ours;
  }
  if (tcp.has(flag::ack) && !acknowledges) {
    if (is_reset) return ours;
    if (t.trace) t.trace->say("the real server remembers an older connection: it is reset and greeted again");
    reset_sender(t);
    return spliced.syns < SplicedFlows::most_syns ? Decision{send_syn(t, flow), flow.destination} : ours;
  }
  if (is_reset && acknowledges) {
    if (t.trace) t.trace->say("the real server refuses the connection");
    states_.count_packet(t, flow, false);
    refuse(t, flow);
    return ours;
  }
  if (is_reset || !acknowledges || !tcp.has(flag::syn)) return ours;
  return join(t, flow, read_syn_options(tcp.options()));
}

// Both ends have agreed with the director, but on different numbers: the difference is the splice.
template <class A>
Decision SynHandshake::join(Transit<A>& t, Flow<A>& flow, const SynOptions& server) {
  SplicedFlow& spliced = spliced_[flow.spliced];
  const SynOptions& client = spliced.client.options;
  const Decision ours{Reason::syn_proxy_handshake, flow.destination};
  states_.count_packet(t, flow, false);
  if (client.timestamps && !server.timestamps) {
    if (t.trace) t.trace->say("the real server declines timestamps, which the client was promised: both are reset");
    Service* service = services_.destination(flow.destination).service;
    if (service != nullptr) service->proxy.no_timestamps_until = t.now + believed_without_timestamps;
    reset_sender(t);
    refuse(t, flow);
    return ours;
  }
  constexpr uint8_t unscaled_window = SynOptions::no_window_scale;
  const bool client_scales = client.window_scale != unscaled_window;
  const bool both_scale = client_scales && server.window_scale != unscaled_window;
  spliced.splice.sequence = spliced.client.cookie - wire::TcpView(t.transport()).sequence();
  spliced.splice.timestamp = client.timestamps ? spliced.client.promised_timestamp - server.timestamp : 0;
  spliced.splice.promised_scale = client_scales ? promised_window_scale : 0;
  spliced.splice.real_scale = both_scale ? server.window_scale : 0;
  spliced.splice.client_scale = client_scales && !both_scale ? client.window_scale : 0;
  leave_greeting(flow, Phase::spliced);
  if (t.trace) {
    t.trace->say("spliced: the real server's sequence numbers reach the client moved by %u", spliced.splice.sequence);
  }
  act_as(t, flow, Seen::from_server, flag::syn | flag::ack);
  acknowledge_both(t, flow, server);
  act_as(t, flow, Seen::from_client, flag::ack);
  return ours;
}

// Acknowledges the real server's SYN-ACK, and opens the client's window, for which it has waited since its own SYN-ACK.
template <class A>
void SynHandshake::acknowledge_both(Transit<A>& t, Flow<A>& flow, const SynOptions& server) {
  const SplicedFlow& spliced = spliced_[flow.spliced];
  const SynOptions& client = spliced.client.options;
  const wire::TcpView syn_ack(t.transport());
  OwnSegment<A> to_server;
  to_server.endpoints = flow.reverse.mirrored();
  to_server.sequence = spliced.client.sequence + 1;
  to_server.acknowledgement = syn_ack.sequence() + 1;
  to_server.flags = flag::ack;
  to_server.window = unscaled(spliced.client_window, spliced.splice.client_scale);
  to_server.options = timestamps(client.timestamps, client.timestamp, server.timestamp);
  send_own(transmitter_, t, to_server, transmitter_.hop_to(services_.destination(flow.destination), t.now), &flow);
  uint16_t window = syn_ack.window();  // the window of a SYN is unscaled
  if ((flow.flags & flow_flag::announces) != 0) {
    proxy_protocol_.announce_joined(t, flow, to_server);
    window = static_cast<uint16_t>(window - std::min<uint16_t>(window, proxy_header_length(A::family)));
  }

  OwnSegment<A> to_client;
  to_client.endpoints = flow.forward.mirrored();
  to_client.sequence = spliced.client.cookie + 1;
  to_client.acknowledgement = spliced.client.sequence + 1;
  to_client.flags = flag::ack;
  to_client.window = static_cast<uint16_t>(window >> spliced.splice.promised_scale);
  to_client.options = timestamps(client.timestamps, server.timestamp + spliced.splice.timestamp, client.timestamp);
  send_own(transmitter_, t, to_client, transmitter_.hop_to(flow.client()));
}

// Tells the client that there is no connection.
template <class A>
void SynHandshake::refuse(Transit<A>& t, Flow<A>& flow) {
  SplicedFlow& spliced = spliced_[flow.spliced];
  OwnSegment<A> reset;
  reset.endpoints = flow.forward.mirrored();
  reset.sequence = spliced.client.cookie + 1;
  reset.flags = flag::rst;
  if (t.trace) t.trace->say("the client is reset");
  send_own(transmitter_, t, reset, transmitter_.hop_to(flow.client()));
  act_as(t, flow, Seen::from_server, flag::rst);
  leave_greeting(flow, Phase::closed);
}

// RFC 9293 3.10.7.1: a segment that acknowledges a connection that does not exist is reset at the acknowledged number.
template <class A>
void SynHandshake::reset_sender(Transit<A>& t) {
  const wire::TcpView tcp(t.transport());
  if (!tcp.has(flag::ack)) return;
  OwnSegment<A> reset;
  reset.endpoints = t.endpoints.mirrored();
  reset.sequence = tcp.acknowledgement();
  reset.flags = flag::rst;
  send_own(transmitter_, t, reset, transmitter_.hop_to(t.endpoints.source));
}

// Updates the flow's state for a segment that the director sent in the name of one end, or did not forward to the
// other.
template <class A>
void SynHandshake::act_as(const Transit<A>& t, Flow<A>& flow, Seen seen, uint8_t flags) {
  wire::Packet packet = t.packet;
  packet.tcp_flags = flags;
  states_.advance_state(Transit<A>{t.frame, packet, t.now, t.out, t.trace, t.endpoints}, flow, seen);
}

}  // namespace sluice::director
