// SPDX-License-Identifier: Apache-2.0
#include "director/tracking/flow_state.h"

#include "wire/protocol.h"
#include "wire/sctp.h"
#include "wire/tcp.h"

namespace sluice::director {

namespace {

// For ICMP queries (echo) through the NAT gateway: nothing follows the answer.
constexpr Time icmp_timeout = 60 * second;

// A flow with only client packets has its own column in the tables, until a packet of the server is seen.
template <class A>
Passage passage_of(Flow<A>& flow, Seen seen) {
  if (seen == Seen::from_server) {
    flow.flags &= static_cast<uint16_t>(~flow_flag::no_output);
    return Passage::output;
  }
  return (flow.flags & flow_flag::no_output) != 0 ? Passage::input_only : Passage::input;
}

}  // namespace

template <class A>
void FlowStates::count_packet(const Transit<A>& t, const Flow<A>& flow, bool to_real_server) {
  if (flow.destination == no_destination) return;
  Destination& destination = services_.destination(flow.destination);
  if (!destination.available) return;
  Counters& counters = destination.counters;
  (to_real_server ? counters.packets_in : counters.packets_out)++;
  (to_real_server ? counters.bytes_in : counters.bytes_out) += t.packet.l3_length;
}
template void FlowStates::count_packet(const Transit<wire::Ipv4Address>&, const Flow<wire::Ipv4Address>&, bool);
template void FlowStates::count_packet(const Transit<wire::Ipv6Address>&, const Flow<wire::Ipv6Address>&, bool);

Time FlowStates::timeout_of(uint8_t protocol, uint8_t state) const {
  switch (protocol) {
    case wire::protocol::tcp:
      return timeouts_.of(static_cast<TcpState>(state));
    case wire::protocol::sctp:
      return timeouts_.of(static_cast<SctpState>(state));
    case wire::protocol::udp:
      return timeouts_.of(UdpState::normal);
    default:
      return icmp_timeout;
  }
}

template <class A>
void FlowStates::advance_state(const Transit<A>& t, Flow<A>& flow, Seen seen) {
  FlowKeeper<A>& keeper = flows_.of<A>();
  bool assures = false;
  if (!t.is_later_fragment()) {
    if (flow.protocol == wire::protocol::tcp) {
      // If a server sends more than a SYN-ACK, it has seen the end of the handshake and so the client's address (TOA).
      const bool shakes_hands = seen == Seen::from_client || (t.packet.tcp_flags & wire::tcp_flag::syn) != 0;
      if (!shakes_hands) flow.flags &= static_cast<uint16_t>(~flow_flag::tells_client);
      const auto before = static_cast<TcpState>(flow.state);
      const TcpTable table = defence_.is_tcp_secured() ? TcpTable::secure : TcpTable::ordinary;
      const TcpState state = next(before, passage_of(flow, seen), t.packet.tcp_flags, table);
      if (state != before) {
        flow.state = static_cast<uint8_t>(state);
        keeper.set_active(flow, is_active(state));
        if (is_half_open(state) != is_half_open(before)) keeper.count_half_open(flow, is_half_open(state) ? +1 : -1);
        assures = state == TcpState::established;
        if (t.trace) t.trace->say("state %s", std::string(name(state)).c_str());
      }
    } else if (flow.protocol == wire::protocol::sctp) {
      const wire::Bytes chunks = wire::Bytes(t.transport()).subspan(wire::SctpView::header_length);
      if (const auto event = sctp_event(chunks)) {
        const auto before = static_cast<SctpState>(flow.state);
        const SctpState state = next(before, passage_of(flow, seen), *event);
        if (state != before) {
          flow.state = static_cast<uint8_t>(state);
          keeper.set_active(flow, is_active(state));
          assures = state == SctpState::established;
          if (t.trace) t.trace->say("state %s", std::string(name(state)).c_str());
        }
      }
    } else {
      passage_of(flow, seen);
      assures = seen == Seen::from_server;
    }
  }
  if (assures && flow.control != no_flow) keeper.table().at(flow.control).state = template_state::assured;
  if ((flow.flags & flow_flag::one_packet) != 0) return;
  keeper.table().touch(flow, t.tick() + ticks(timeout_of(flow.protocol, flow.state)));
}
template void FlowStates::advance_state(const Transit<wire::Ipv4Address>&, Flow<wire::Ipv4Address>&, Seen);
template void FlowStates::advance_state(const Transit<wire::Ipv6Address>&, Flow<wire::Ipv6Address>&, Seen);

}  // namespace sluice::director
