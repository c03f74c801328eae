// SPDX-License-Identifier: Apache-2.0
// The PROXY protocol in the director (theory of operation: proxy_header.h).
//
// A flow becomes a spliced flow when the real server answers its SYN, and stays one to its end: from then on the
// numbers of every packet are moved, so the express lane does not take such flows. If a SYN-ACK acknowledges another
// SYN that was seen, a new connection on the same ports begins, and everything starts again. Neither the SYN nor the
// SYN-ACK alone proves a new connection: anybody can send a SYN, and a SYN-ACK may be a late one of the previous
// connection.
//
// The header is a segment of its own, so no packet of the client becomes longer, whatever its MTU, and frames that a
// device will cut stay whole. If the client resets the connection, the header is not sent any more.
#pragma once

#include "director/handshake/own_segment.h"
#include "director/outgoing/proxy_header.h"
#include "director/outgoing/transmitter.h"
#include "director/services/service_table.h"
#include "director/tracking/flow_keeper.h"

namespace sluice::director {

// Whether and when the header is sent beside a packet of the client.
enum class HeaderTurn : uint8_t { no, before_packet, after_packet };

class ProxyProtocol {
 public:
  ProxyProtocol(Transmitter& transmitter, FlowKeepers flows, ServiceTable& services, SplicedFlows& spliced)
      : transmitter_(transmitter), flows_(flows), services_(services), spliced_(spliced) {}

  template <class A>
  HeaderTurn turn_of_header(const Transit<A>& t, const Flow<A>& flow);
  template <class A>
  void note_for_header(const Transit<A>& t, const Flow<A>& flow);
  template <class A>
  void send_header(Transit<A>& t, const Flow<A>& flow);
  template <class A>
  bool hear_of_header(Transit<A>& t, Flow<A>& flow);
  template <class A>
  void announce_joined(Transit<A>& t, const Flow<A>& flow, const OwnSegment<A>& handshake);

 private:
  template <class A>
  bool await_handshake(const Transit<A>& t, Flow<A>& flow);

  Transmitter& transmitter_;
  FlowKeepers flows_;
  ServiceTable& services_;
  SplicedFlows& spliced_;
};

}  // namespace sluice::director
