// SPDX-License-Identifier: Apache-2.0
// Forwards packets of known flows: to a real server (request), or through the director as a router (route).
//
// The order of decisions is the kernel's: a request changes its flow's state even if its TTL then expires; a reply is
// checked as a router checks it (TTL, MTU) before it changes its flow. Every error is written before the packet is
// changed, so the sender finds its own packet quoted.
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

// The source address of an error to a sender: the packet's destination, or this host's own address on the route to the
// sender.
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

  // For a client's packet of the flow.
  template <class A>
  Decision request(Transit<A>& t, Flow<A>& flow, Reason reason);
  // As request(), without changing the flow.
  template <class A>
  Reason send_request(Transit<A>& t, const Flow<A>& flow, Destination& destination, Reason reason);
  // For a packet of the flow that the director only routes: replies, and both directions of egress flows.
  template <class A>
  Decision route(Transit<A>& t, Flow<A>& flow, const Endpoints<A>& to, Seen seen, Reason reason);
  // Makes a router's checks before forwarding, in a router's order. Returns nullopt if the packet may be forwarded. If
  // a router would tell the sender of the obstacle, the sender has been told.
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
  Pieces segments_;  // of a frame whose pieces go into a tunnel one by one
};

}  // namespace sluice::director
