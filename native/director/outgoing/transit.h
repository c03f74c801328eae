// SPDX-License-Identifier: Apache-2.0
// A packet that the director handles: the frame, what dissect() found in it, and where its results go.
#pragma once

#include "core/time.h"
#include "director/flows/flow.h"
#include "director/flows/trace.h"
#include "director/network/firewall_marks.h"
#include "director/network/frame.h"
#include "wire/packet.h"
#include "wire/sctp.h"

namespace sluice::director {

template <class A>
struct QuotingError;

template <class A>
struct Transit {
  Frame& frame;
  const wire::Packet& packet;
  Time now;
  TransmitQueue& out;
  Trace* trace;
  Endpoints<A> endpoints;  // as the packet arrived; the ports are zero if it has none
  // Set if the packet did not arrive itself: an ICMP error quotes its answer (schedule_icmp). The frame is then that of
  // the error, and the offsets in `packet` do not apply to it.
  const QuotingError<A>* error = nullptr;

  uint8_t* l3() const { return frame.data + packet.l3; }
  uint8_t* l4() const { return frame.data + packet.l4; }
  // Without the frame's padding.
  wire::Bytes ip() const { return {l3(), packet.l3_length}; }
  wire::MutableBytes transport() const { return {l4(), packet.l4_length()}; }
  Tick tick() const { return tick_at(now); }
  bool is_later_fragment() const { return packet.fragment == wire::Fragment::later; }
};

// An ICMP error and the packet that it quotes. Offsets in that packet count from the begin of the quotation.
template <class A>
struct QuotingError {
  Transit<A>& t;
  const wire::Packet& inner;
};

// The type of an SCTP packet's first chunk; `no_chunk` if there is none.
inline constexpr uint8_t no_chunk = 0xff;
template <class A>
uint8_t first_chunk(const Transit<A>& t) {
  const wire::Bytes transport = t.transport();
  return transport.size() > wire::SctpView::header_length ? transport[wire::SctpView::header_length] : no_chunk;
}

// What the rules of firewall marks compare.
template <class A>
MarkedPacket marked_packet(const Transit<A>& t) {
  MarkedPacket marked{t.frame.port, t.packet.protocol, t.endpoints.source, t.endpoints.destination, std::nullopt};
  if (t.packet.has_ports) marked.destination_port = t.endpoints.destination_port;
  return marked;
}

template <class A>
bool has_options(const Transit<A>& t) {
  return A::family == wire::Family::ipv4 && (t.l3()[0] & 0x0f) > 5;
}

template <class A>
Endpoints<A> endpoints_of(const uint8_t* l3, const wire::Packet& packet) {
  Endpoints<A> endpoints;
  if constexpr (A::family == wire::Family::ipv4) {
    endpoints.source = A::load(l3 + 12);
    endpoints.destination = A::load(l3 + 16);
  } else {
    endpoints.source = A::load(l3 + 8);
    endpoints.destination = A::load(l3 + 24);
  }
  endpoints.source_port = packet.source_port;
  endpoints.destination_port = packet.destination_port;
  return endpoints;
}

}  // namespace sluice::director
