// SPDX-License-Identifier: Apache-2.0
#include "director/stages/local_node.h"

#include "director/flows/text.h"
#include "director/outgoing/rewrite.h"
#include "director/tracking/flow_keeper.h"

namespace sluice::director {

namespace {

template <class A>
HostReply reply_of(const Endpoints<A>& from_server, uint8_t protocol) {
  return {from_server.source, from_server.destination, from_server.source_port, from_server.destination_port, protocol};
}

template <class A>
bool expect(HostReplies* replies, const Flow<A>& flow) {
  return replies == nullptr || replies->expect(reply_of(flow.reverse, flow.protocol));
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
    // The director itself sends packets to the servers of such flows, and it can do so only if the server is another
    // host. Without the TOA option the server sees the address of the pool.
    constexpr uint16_t speaks = flow_flag::spliced | flow_flag::announces;
    if ((flow.flags & speaks) != 0 || !expect(replies_, flow)) return Reason::local_nat_refused;
    if (t.trace) t.trace->say("the host gets it as %s", to_text(flow.reverse.mirrored()).c_str());
    rewrite(t, flow.reverse.mirrored());
  }
  give(t.frame, t.out);
  return Reason::delivered;
}
template Reason LocalNode::deliver(Transit<wire::Ipv4Address>&, const Flow<wire::Ipv4Address>&) const;
template Reason LocalNode::deliver(Transit<wire::Ipv6Address>&, const Flow<wire::Ipv6Address>&) const;

void LocalNode::give(const Frame& received, TransmitQueue& out) const {
  Frame frame = received;
  frame.port = static_cast<PortId>(transmitter_.route_table().ports().size());
  out.push(frame);
}

template <class A>
std::optional<Reason> LocalNode::disown(const Transit<A>& t) const {
  if (replies_ == nullptr || !transmitter_.route_table().is_local(t.endpoints.source)) return std::nullopt;
  replies_->forget(reply_of(t.endpoints, t.packet.protocol));
  return Reason::host_reply_unwanted;
}
template std::optional<Reason> LocalNode::disown(const Transit<wire::Ipv4Address>&) const;
template std::optional<Reason> LocalNode::disown(const Transit<wire::Ipv6Address>&) const;

}  // namespace sluice::director
