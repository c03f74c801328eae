// SPDX-License-Identifier: Apache-2.0
// A real server that is this host (IPVS: LocalNode; keepalived: sorry_server 127.0.0.1).
//
// The packet does not leave: the host's own stack gets it. DR and tunnels change nothing, so the stack must have the
// virtual address, and a program that listens there answers the client directly. With NAT the stack gets a packet to
// the real server's address and port; its answers must come back to the director, which translates them. The time to
// live is not decremented, because nothing is forwarded (lab/ipvs-oracle/scenarios/local).
//
// The frame leaves by the port after the last one of the route table: the engine gives its IP packet to the host
// (engine/host_port.h).
#pragma once

#include "director/flows/flow.h"
#include "director/flows/verdict.h"
#include "director/outgoing/transit.h"
#include "director/outgoing/transmitter.h"

namespace sluice::director {

class LocalNode {
 public:
  // `translates`: whether answers of the host's stack to translated packets come back to the director.
  LocalNode(const Transmitter& transmitter, bool translates) : transmitter_(transmitter), translates_(translates) {}

  // For a client's packet of a flow whose real server is this host.
  template <class A>
  Reason deliver(Transit<A>& t, const Flow<A>& flow) const;

 private:
  const Transmitter& transmitter_;  // for its route table
  const bool translates_;
};

}  // namespace sluice::director
