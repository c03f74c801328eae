// SPDX-License-Identifier: Apache-2.0
// The SYN proxy in the director (theory of operation: syn_cookie.h).
//
// A service's SYNs are answered with cookies while its SYN proxy is `on`, or is `automatic` and more of the service's
// flows are half open than the limit allows; each flow that is established or times out then admits one ordinary SYN
// again. Cookies that were sent are accepted as long as they are good, even if the proxy is no longer in force. While
// cookies may come, only a SYN or a good cookie opens a flow of the service, with or without sloppy_tcp.
//
// The limits on new flows (drop_packet, sources, thresholds, pools) apply when the cookie comes back, so a forged
// source uses nothing up. A client that then gets no real server already has an established connection, so it is reset.
//
// For the state table a flow of the SYN proxy looks like any other: SYN_RECV from the SYN to the real server on,
// ESTABLISHED when the director acknowledges the answer. It does not count as half open, because its client has proved
// that it exists.
//
// Timers repeat a SYN that a real server does not answer (spliced_timers.h).
//
// After the handshakes a packet of a spliced flow goes through the same stages as any packet. splice() is called where
// packets are rewritten, so that errors quote what their receivers sent. One case is still answered here: a SYN-ACK
// that the real server repeats because the director's ACK was lost.
#pragma once

#include <optional>

#include "director/handshake/own_segment.h"
#include "director/handshake/proxy_protocol.h"
#include "director/handshake/syn_cookie.h"
#include "director/outgoing/transmitter.h"
#include "director/services/service_table.h"
#include "director/tracking/flow_state.h"

namespace sluice::director {

// What the SYN proxy does with a packet without a flow. If neither is set, the packet is handled as without a SYN
// proxy.
struct Opening {
  std::optional<Decision> answered;    // the SYN proxy has decided about the packet
  std::optional<ProvenClient> proven;  // the packet brought a good cookie: its client gets a flow
};

// What the SYN proxy does with a packet of a spliced flow.
enum class SplicedStep : uint8_t {
  passes,      // both handshakes are done, or the SYN proxy has no part in them: the packet is handled as any other
  done,        // the SYN proxy has decided about the packet
  opens_anew,  // the flow has ended: the packet begins another connection
};
struct SplicedOutcome {
  SplicedStep step = SplicedStep::passes;
  Decision decision = {};  // valid for `done`
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

  // Above this number of half-open flows a service's SYN proxy comes into force by itself (SynProxy::automatic).
  void set_half_open_limit(uint32_t flows) { half_open_limit_ = flows; }

  // For a packet without a flow to a service whose SYN proxy is not off.
  template <class A>
  Opening answer_opening(Transit<A>& t, Service& service);
  // For the flow of a proven client: sends the SYN to its real server.
  template <class A>
  Decision greet_server(Transit<A>& t, Flow<A>& flow, ProvenClient& proven);
  // For a proven client that gets no flow.
  template <class A>
  void reset_unadmitted(Transit<A>& t);

  // For a packet of a spliced flow.
  template <class A>
  SplicedOutcome spliced(Transit<A>& t, FoundFlow<A> found);
  // The real server has not answered in time: sends the SYN again, or resets the client after the last SYN.
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
