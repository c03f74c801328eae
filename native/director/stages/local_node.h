// SPDX-License-Identifier: Apache-2.0
// A real server that is this host (IPVS: LocalNode; keepalived: sorry_server 127.0.0.1).
//
// The packet does not leave: the host's own stack gets it. DR and tunnels change nothing, so the stack must have the
// virtual address, and a program that listens there answers the client directly. With NAT and FULLNAT the stack gets a
// packet to the real server's address and port; its answers must come back to the director (HostReplies), which
// translates them. The time to live is not decremented, because nothing is forwarded (lab/ipvs-oracle/scenarios/local).
//
// The frame leaves by the port after the last one of the route table: the engine gives its IP packet to the host
// (engine/host_port.h).
#pragma once

#include <optional>

#include "director/flows/flow.h"
#include "director/flows/verdict.h"
#include "director/network/host_replies.h"
#include "director/outgoing/transit.h"
#include "director/outgoing/transmitter.h"

namespace sluice::director {

// No packet is translated to a loopback address: packets from other hosts may not reach it.
inline bool is_loopback(const wire::Address& address) {
  if (address.family == wire::Family::ipv4) return address.bytes[0] == 127;
  return wire::load_be64(address.bytes.data()) == 0 && wire::load_be64(address.bytes.data() + 8) == 1;
}

class LocalNode {
 public:
  // `replies` brings the host's answers back to the director; nullptr: they come back without it.
  LocalNode(const Transmitter& transmitter, HostReplies* replies) : transmitter_(transmitter), replies_(replies) {}

  // For a client's packet of a flow whose real server is this host.
  template <class A>
  Reason deliver(Transit<A>& t, const Flow<A>& flow) const;
  // Gives the packet to the host unchanged.
  void give(const Frame& frame, TransmitQueue& out) const;
  // For a packet without a flow: the reason to drop it if this host's stack sent it, as an answer to a flow that has
  // ended. When the stack sends it again, it leaves by the host's own routes.
  template <class A>
  std::optional<Reason> disown(const Transit<A>& t) const;

 private:
  const Transmitter& transmitter_;  // for its route table
  HostReplies* const replies_;
};

}  // namespace sluice::director
