// SPDX-License-Identifier: Apache-2.0
// A real server that is this host (IPVS: LocalNode; keepalived: sorry_server 127.0.0.1).
//
// The packet does not leave: the host's own stack gets it. DR and tunnels change nothing, so the stack must have the
// virtual address, and a program that listens there answers the client directly. NAT and FULLNAT give the stack a
// packet for the real server's address and port; the answers have to come back to the director (HostReplies), which
// translates them. The time to live is not counted down, as nothing is forwarded (lab/ipvs-oracle/scenarios/local).
//
// The frame goes to the port behind the last one of the route table: who moves frames gives the IP packet in it to the
// host (engine/host_port.h).
#pragma once

#include <optional>

#include "director/flows/flow.h"
#include "director/flows/verdict.h"
#include "director/network/host_replies.h"
#include "director/outgoing/transit.h"
#include "director/outgoing/transmitter.h"

namespace sluice::director {

// To which nothing is translated: what comes from outside does not go there.
inline bool is_loopback(const wire::Address& address) {
  if (address.family == wire::Family::ipv4) return address.bytes[0] == 127;
  return wire::load_be64(address.bytes.data()) == 0 && wire::load_be64(address.bytes.data() + 8) == 1;
}

class LocalNode {
 public:
  // Without `replies` they come by themselves.
  LocalNode(const Transmitter& transmitter, HostReplies* replies) : transmitter_(transmitter), replies_(replies) {}

  // A client's packet of the flow, whose real server is this host.
  template <class A>
  Reason deliver(Transit<A>& t, const Flow<A>& flow) const;
  // A packet that is for the host as it is.
  void give(const Frame& frame, TransmitQueue& out) const;
  // A packet of no flow: drops it if this host's stack has sent it, as the answer to a flow that has ended. What the
  // stack sends again leaves by the host's own routes.
  template <class A>
  std::optional<Reason> disown(const Transit<A>& t) const;

 private:
  const Transmitter& transmitter_;  // for its route table
  HostReplies* const replies_;
};

}  // namespace sluice::director
