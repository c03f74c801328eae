// SPDX-License-Identifier: Apache-2.0
// A real server that is this host (IPVS: LocalNode; keepalived: sorry_server 127.0.0.1).
//
// The packet does not leave: the host's own stack gets it. DR and tunnels change nothing, so the stack must have the
// virtual address, and a program that listens there answers the client directly. NAT gives the stack a packet for the
// real server's address and port; the answers have to come back to the director, which translates them. The time to
// live is not counted down, as nothing is forwarded (lab/ipvs-oracle/scenarios/local).
//
// The frame goes to the port behind the last one of the route table: who moves frames gives the IP packet in it to the
// host (engine/host_port.h).
#pragma once

#include "director/flows/flow.h"
#include "director/flows/verdict.h"
#include "director/outgoing/transit.h"
#include "director/outgoing/transmitter.h"

namespace sluice::director {

class LocalNode {
 public:
  // `translates`: whether what the host's stack answers to a packet that was translated for it comes back to the
  // director.
  LocalNode(const Transmitter& transmitter, bool translates) : transmitter_(transmitter), translates_(translates) {}

  // A client's packet of the flow, whose real server is this host.
  template <class A>
  Reason deliver(Transit<A>& t, const Flow<A>& flow) const;

 private:
  const Transmitter& transmitter_;  // for its route table
  const bool translates_;
};

}  // namespace sluice::director
