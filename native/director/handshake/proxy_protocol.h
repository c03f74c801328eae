// SPDX-License-Identifier: Apache-2.0
// The PROXY protocol in the director (theory of operation: proxy_header.h).
//
// A flow gets its place among the proxied ones when the real server answers its SYN, and keeps it to its end: numbers
// are moved in every packet from then on, so the express lane leaves such flows alone. A SYN-ACK that acknowledges
// another SYN, which was seen, is that of a new connection on the same ports, and all begins anew; neither alone proves
// anything: anybody can send a SYN, and a SYN-ACK may be a late one of the connection before.
//
// The header is a segment of the director's own, so no packet of the client's becomes longer, whatever its MTU, and
// frames that a device is to cut stay whole. Of a client that resets the connection nothing more is told.
#pragma once

#include "director/handshake/own_segment.h"
#include "director/outgoing/proxy_header.h"
#include "director/outgoing/transmitter.h"
#include "director/services/service_table.h"
#include "director/tracking/flow_keeper.h"

namespace sluice::director {

// Whether the header goes beside a packet of the client's.
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
