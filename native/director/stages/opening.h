// SPDX-License-Identifier: Apache-2.0
// Decides by the packet alone whether it begins a connection.
#pragma once

#include "director/outgoing/transit.h"
#include "director/states/sctp_state.h"
#include "director/states/switches.h"
#include "director/states/tcp_state.h"
#include "wire/protocol.h"
#include "wire/sctp.h"
#include "wire/tcp.h"

namespace sluice::director {

template <class A>
bool is_first_packet(const Transit<A>& t) {
  if (t.packet.protocol == wire::protocol::tcp) return (t.packet.tcp_flags & wire::tcp_flag::syn) != 0;
  return t.packet.protocol == wire::protocol::sctp && first_chunk(t) == wire::sctp_chunk::init;
}

// Whether the protocol lets the packet open a flow. No service has been looked up yet.
template <class A>
bool may_open(const Transit<A>& t, const Switches& switches) {
  switch (t.packet.protocol) {
    case wire::protocol::tcp:
      return begins_connection(t.packet.tcp_flags, switches.sloppy_tcp);
    case wire::protocol::sctp:
      return begins_association(wire::Bytes(t.transport()).subspan(wire::SctpView::header_length),
                                switches.sloppy_sctp);
    default:
      return true;
  }
}

}  // namespace sluice::director
