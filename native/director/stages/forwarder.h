// SPDX-License-Identifier: Apache-2.0
// Packets of known flows, on their way to a real server (request) or through the director as their router (route).
//
// The order of decisions is the kernel's: a request's flow changes state even when the packet then dies of its TTL; a
// reply is checked as a router checks it (TTL, MTU) before its flow hears of it. Every error is written before the
// packet is changed, so the sender finds its own packet quoted.
#pragma once

#include <optional>

#include "director/flows/spliced_flows.h"
#include "director/handshake/proxy_protocol.h"
#include "director/outgoing/transit.h"
#include "director/outgoing/transmitter.h"
#include "director/services/service_table.h"
#include "director/stages/local_node.h"
#include "director/stages/own_addresses.h"
#include "director/states/switches.h"
#include "director/tracking/flow_state.h"

namespace sluice::director {

// From which address a sender is told of an error: the one that it wrote to, or this host's own on the way to it.
enum class Answerer : uint8_t { destination, this_host };

class Forwarder {
 public:
  Forwarder(Transmitter& transmitter, ServiceTable& services, const SplicedFlows& spliced, FlowStates& states,
            ProxyProtocol& proxy_protocol, const OwnAddresses& own_addresses, const LocalNode& local_node,
            const Switches& switches)
      : transmitter_(transmitter),
        services_(services),
        spliced_(spliced),
        states_(states),
        proxy_protocol_(proxy_protocol),
        own_addresses_(own_addresses),
        local_node_(local_node),
        switches_(switches),
        segments_(transmitter) {}

  // A client's packet of the flow.
  template <class A>
  Decision request(Transit<A>& t, Flow<A>& flow, Reason reason);
  // The same without its flow hearing of it.
  template <class A>
  Reason send_request(Transit<A>& t, const Flow<A>& flow, Destination& destination, Reason reason);
  // A packet of the flow that the director only routes on: replies, and both directions of egress flows.
  template <class A>
  Decision route(Transit<A>& t, Flow<A>& flow, const Endpoints<A>& to, Seen seen, Reason reason);
  // What a router checks before it passes a packet on, in a router's order; nullopt: nothing stands in the way. The
  // sender has been told where a router tells it.
  template <class A>
  std::optional<Reason> obstacle(Transit<A>& t, const NextHop& hop);
  template <class A>
  void tell_sender(Transit<A>& t, const IcmpError& error, Answerer answerer);

 private:
  template <class A>
  Reason send_as_client(Transit<A>& t, const Flow<A>& flow, const NextHop& hop, Reason reason);
  template <class A>
  Reason send_by_tunnel(Transit<A>& t, const Destination& destination, const NextHop& hop, Reason reason);

  Transmitter& transmitter_;
  ServiceTable& services_;
  const SplicedFlows& spliced_;
  FlowStates& states_;
  ProxyProtocol& proxy_protocol_;
  const OwnAddresses& own_addresses_;
  const LocalNode& local_node_;
  const Switches& switches_;
  Pieces segments_;  // of a frame that a tunnel wraps piece by piece
};

}  // namespace sluice::director
