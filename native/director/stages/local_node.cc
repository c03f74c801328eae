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
#include "director/stages/local_node.h"

#include "director/flows/text.h"
#include "director/outgoing/rewrite.h"
#include "director/tracking/flow_keeper.h"

namespace sluice::director {

namespace {

bool is_loopback(const wire::Ipv4Address& address) {
  return static_cast<uint8_t>(address.raw) == 127;  // the first byte on the wire
}

bool is_loopback(const wire::Ipv6Address& address) {
  return address.raw[0] == 0 && wire::load_be64(wire::Address(address).bytes.data() + 8) == 1;
}

}  // namespace

template <class A>
Reason deliver(Transit<A>& t, const Flow<A>& flow, const RouteTable& routes, bool translates) {
  const Forwarding forwarding = forwarding_of(flow);
  const bool is_translated = forwarding == Forwarding::nat || forwarding == Forwarding::fullnat;
  if (!is_translated && !routes.is_local(t.endpoints.destination)) {
    if (t.trace) t.trace->say("this host has no device with the address %s", to_text(t.endpoints).c_str());
    return Reason::not_deliverable;
  }
  if (is_translated) {
    if (is_loopback(flow.reverse.source)) return Reason::loopback_refused;
    // What a real server is told of its client is told on the way to another host.
    constexpr uint16_t tells = flow_flag::tells_client | flow_flag::spliced | flow_flag::announces;
    if (!translates || (flow.flags & tells) != 0) return Reason::local_nat_refused;
    if (t.trace) t.trace->say("the host gets it as %s", to_text(flow.reverse.mirrored()).c_str());
    rewrite(t, flow.reverse.mirrored());
  }
  Frame frame = t.frame;
  frame.port = static_cast<PortId>(routes.ports().size());
  t.out.push(frame);
  return Reason::delivered;
}
template Reason deliver(Transit<wire::Ipv4Address>&, const Flow<wire::Ipv4Address>&, const RouteTable&, bool);
template Reason deliver(Transit<wire::Ipv6Address>&, const Flow<wire::Ipv6Address>&, const RouteTable&, bool);

}  // namespace sluice::director
