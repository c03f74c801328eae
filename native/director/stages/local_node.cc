// SPDX-License-Identifier: Apache-2.0
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
Reason LocalNode::deliver(Transit<A>& t, const Flow<A>& flow) const {
  const RouteTable& routes = transmitter_.route_table();
  const Forwarding forwarding = forwarding_of(flow);
  const bool is_translated = forwarding == Forwarding::nat || forwarding == Forwarding::fullnat;
  if (!is_translated && !routes.is_local(t.endpoints.destination)) {
    if (t.trace) t.trace->say("this host has no device with the address %s", to_text(t.endpoints).c_str());
    return Reason::not_deliverable;
  }
  if (is_translated) {
    if (is_loopback(flow.reverse.source)) return Reason::loopback_refused;
    // The real server can be told about its client only if it is another host.
    constexpr uint16_t tells = flow_flag::tells_client | flow_flag::spliced | flow_flag::announces;
    if (!translates_ || (flow.flags & tells) != 0) return Reason::local_nat_refused;
    if (t.trace) t.trace->say("the host gets it as %s", to_text(flow.reverse.mirrored()).c_str());
    rewrite(t, flow.reverse.mirrored());
  }
  Frame frame = t.frame;
  frame.port = static_cast<PortId>(routes.ports().size());
  t.out.push(frame);
  return Reason::delivered;
}
template Reason LocalNode::deliver(Transit<wire::Ipv4Address>&, const Flow<wire::Ipv4Address>&) const;
template Reason LocalNode::deliver(Transit<wire::Ipv6Address>&, const Flow<wire::Ipv6Address>&) const;

}  // namespace sluice::director
