// SPDX-License-Identifier: Apache-2.0
// The SYN proxy in the director (theory of operation: syn_cookie.h).
//
// A service's SYNs are answered with cookies while it is `on`, or `automatic` and more of its flows are half open than
// the limit allows; each flow that gets established or times out lets one ordinary SYN in again. Cookies that were sent
// are honoured for as long as they are good, in force or not. While cookies may come, nothing but a SYN or a good
// cookie opens a flow of the service, sloppy_tcp or not.
//
// The limits on new flows (drop_packet, sources, thresholds, pools) apply when the cookie comes back: a forged source
// uses nothing up. A client that then gets no real server has an established connection already, so it is reset.
//
// To the table of states a proxied flow looks like any other: SYN_RECV from the SYN to the real server on, ESTABLISHED
// when the director acknowledges its answer. It does not count as half open: its client has proved that it is there.
//
// A SYN that a real server does not answer is repeated by advance(), which therefore sends packets.
//
// After the handshakes a proxied packet goes the way of all packets; splice() is called where they are rewritten, so
// that errors quote what their receivers sent. There is one thing more to answer: a SYN-ACK that the real server
// repeats because the director's ACK was lost.
#pragma once

#include <optional>

#include "director/handshake/own_segment.h"
#include "director/handshake/proxy_protocol.h"
#include "director/handshake/syn_cookie.h"
#include "director/outgoing/transmitter.h"
#include "director/services/service_table.h"
#include "director/tracking/flow_state.h"

namespace sluice::director {

// What the SYN proxy does with a packet of no flow. Neither: the packet goes the way without a proxy.
struct Opening {
  std::optional<Decision> answered;    // the SYN proxy is done with the packet
  std::optional<ProvenClient> proven;  // the packet brought a good cookie: its client is to get a flow
};

// What the SYN proxy does with a packet of a spliced flow.
enum class SplicedStep : uint8_t {
  passes,      // both handshakes are done, or the SYN proxy has no part in them: the packet goes the way of all packets
  done,        // the packet has its decision
  opens_anew,  // the flow has ended: the packet begins another connection
};
struct SplicedOutcome {
  SplicedStep step = SplicedStep::passes;
  Decision decision = {};  // of `done`
};

class SynHandshake {
 public:
  SynHandshake(Transmitter& transmitter, FlowKeepers flows, ServiceTable& services, SplicedFlows& spliced,
               FlowStates& states, ProxyProtocol& proxy_protocol, RandomSource random)
      : transmitter_(transmitter),
        flows_(flows),
        services_(services),
        spliced_(spliced),
        states_(states),
        proxy_protocol_(proxy_protocol),
        random_(std::move(random)) {}

  // Half-open flows of a service beyond which its SYN proxy comes into force by itself (SynProxy::automatic).
  void set_half_open_limit(uint32_t flows) { half_open_limit_ = flows; }

  // A packet of a service whose SYN proxy is not off, and of no flow.
  template <class A>
  Opening answer_opening(Transit<A>& t, Service& service);
  // The flow that a proven client got: its real server is greeted.
  template <class A>
  Decision greet_server(Transit<A>& t, Flow<A>& flow, ProvenClient& proven);
  // A proven client that got none.
  template <class A>
  void reset_unadmitted(Transit<A>& t);

  // A packet of a spliced flow.
  template <class A>
  SplicedOutcome spliced(Transit<A>& t, FoundFlow<A> found);
  // The flow's real server has not answered in time.
  template <class A>
  void ask_again(Transit<A>& t, Flow<A>& flow);

 private:
  template <class A>
  Decision send_cookie(Transit<A>& t, Service& service);
  template <class A>
  Opening open_by_cookie(Transit<A>& t, Service& service);
  template <class A>
  Reason send_syn(Transit<A>& t, Flow<A>& flow);
  template <class A>
  SplicedOutcome from_spliced_client(Transit<A>& t, Flow<A>& flow);
  template <class A>
  SplicedOutcome from_spliced_server(Transit<A>& t, Flow<A>& flow);
  template <class A>
  Decision server_greets(Transit<A>& t, Flow<A>& flow);
  template <class A>
  Decision join(Transit<A>& t, Flow<A>& flow, const SynOptions& server);
  template <class A>
  void acknowledge_both(Transit<A>& t, Flow<A>& flow, const SynOptions& server);
  template <class A>
  void refuse(Transit<A>& t, Flow<A>& flow);
  template <class A>
  void leave_greeting(const Flow<A>& flow, SplicedFlow::Phase phase);
  template <class A>
  void reset_sender(Transit<A>& t);
  template <class A>
  void act_as(const Transit<A>& t, Flow<A>& flow, Seen seen, uint8_t flags);
  uint32_t mtu_to_servers(Service& service, Time now);

  Transmitter& transmitter_;
  FlowKeepers flows_;
  ServiceTable& services_;
  SplicedFlows& spliced_;
  FlowStates& states_;
  ProxyProtocol& proxy_protocol_;
  RandomSource random_;  // for the cookies' secrets
  CookieSecrets secrets_;
  uint32_t half_open_limit_ = 4096;  // as the configuration's default
};

}  // namespace sluice::director
