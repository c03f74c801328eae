// SPDX-License-Identifier: Apache-2.0
#include "director/stages/fragments.h"

#include "director/outgoing/rewrite.h"
#include "wire/ipv6.h"

namespace sluice::director {

namespace {

// The ports and the protocol of the first fragment. Together with the addresses they find the flow again.
uint64_t decision_of(uint16_t source_port, uint16_t destination_port, uint8_t protocol) {
  return uint64_t{source_port} << 24 | uint64_t{destination_port} << 8 | protocol;
}

template <class A>
FragmentInfo<A> info_of(const Transit<A>& t) {
  const wire::Packet& packet = t.packet;
  FragmentInfo<A> info;
  info.key.source = t.endpoints.source;
  info.key.destination = t.endpoints.destination;
  info.key.identification = packet.fragment_id;
  info.transport = packet.protocol;
  info.offset = packet.fragment_offset;
  info.more = packet.more_fragments;
  uint32_t payload = packet.l4;
  if constexpr (A::family == wire::Family::ipv4) {
    info.key.protocol = packet.protocol;
  } else {
    payload = packet.fragment_header + static_cast<uint32_t>(wire::Ipv6FragmentView::header_length);
    info.transport_offset = static_cast<uint16_t>(packet.l4 - payload);
  }
  info.length = packet.end() - payload;
  return info;
}

Reason reason_of(FragmentDrop drop) {
  switch (drop) {
    case FragmentDrop::tiny:
      return Reason::fragment_tiny;
    case FragmentDrop::malformed:
      return Reason::bad_header;
    case FragmentDrop::too_many:
    case FragmentDrop::out_of_memory:
      return Reason::fragment_limit;
    case FragmentDrop::spoiled:
    case FragmentDrop::rejected:
      return Reason::fragment_of_dropped;
    default:
      return Reason::fragment_overlap;
  }
}

// How long fragments wait for the others: net.ipv4.ipfrag_time; RFC 8200 4.5.
constexpr Time ipv4_reassembly = 30 * second, ipv6_reassembly = 60 * second;

FragmentTableOptions fragment_options(const FragmentLimits& limits, Time timeout) {
  FragmentTableOptions fragments;
  fragments.datagrams = limits.datagrams;
  fragments.timeout = timeout;
  fragments.chunks = limits.chunks;
  fragments.seed = limits.seed;
  return fragments;
}

// Nothing to do for a held fragment that is dropped: its decision, "held", was counted when it came.
void given_up(uint64_t, FragmentDrop) {}

}  // namespace

Fragments::Fragments(const FragmentLimits& limits, Transmitter& transmitter, FlowKeepers flows,
                     const ServiceTable& services, const LocalPools& pools, const FirewallMarks& marks,
                     const Egress& egress, Forwarder& forwarder, Dispatch& dispatch)
    : fragments4_(fragment_options(limits, ipv4_reassembly), given_up),
      fragments6_(fragment_options(limits, ipv6_reassembly), given_up),
      transmitter_(transmitter),
      flows_(flows),
      services_(services),
      pools_(pools),
      marks_(marks),
      egress_(egress),
      forwarder_(forwarder),
      dispatch_(dispatch) {}

// Whether the whole datagram may have a firewall mark, as far as one of its fragments tells.
template <class A>
bool Fragments::may_be_marked(const Transit<A>& t) const {
  if (t.frame.mark != 0) return true;
  return !marks_.empty() && marks_.may_mark_datagram(marked_packet(t));
}

// Whether the fragment is for an address that the host has and the director does not use. The host reassembles such
// datagrams itself, and a fragment that waited here could not be given back to the host.
template <class A>
bool Fragments::is_for_host_alone(const Transit<A>& t) const {
  const wire::Address destination = t.endpoints.destination;
  return !may_be_marked(t) && transmitter_.route_table().is_local(destination) &&
         !services_.is_virtual_address(destination) && !pools_.is_local_address(destination);
}

// Whether a later fragment may belong to a flow, as far as its addresses tell. Only then it waits for its first
// fragment.
template <class A>
bool Fragments::may_concern_flows(const Transit<A>& t) const {
  const wire::Address source = t.endpoints.source, destination = t.endpoints.destination;
  return may_be_marked(t) || services_.is_virtual_address(destination) || pools_.is_local_address(destination) ||
         services_.is_real_server(source) || egress_.egress_rule(t.endpoints.source) != nullptr ||
         services_.has_removed();
}

// A fragment has waited in vain, because its first fragment is the host's to route. The host has not seen the waiting
// one, so the director sends it where the host would have sent it.
template <class A>
void Fragments::pass_on(Transit<A>& t) {
  const NextHop& hop = transmitter_.hop_to(t.endpoints.destination);
  if (forwarder_.obstacle(t, hop)) return;
  if (hop.state == HopState::no_neighbour) {
    transmitter_.ask_neighbour(hop, t.now, t.frame, t.packet, t.out);
    return;
  }
  decrement_hop_limit<A>(t.l3());
  const IpPacket ip{t.l3(), t.packet.l3_length, A::family};
  if (!transmitter_.send(t.frame, t.packet, ip, hop, t.out) && t.trace)
    t.trace->say("a fragment that waited is passed on");
}

template <class A>
Decision Fragments::fragment(Transit<A>& t) {
  if (is_for_host_alone(t))
    return t.is_later_fragment() ? Decision{Reason::unhandled_fragment} : dispatch_.decide_packet(t);
  if (t.frame.checksum == TransportChecksum::partial || t.frame.segmentation != Segmentation::none) {
    return {Reason::offloaded_fragment};
  }
  const FragmentInfo<A> info = info_of(t);
  const FragmentOutcome outcome =
      fragments<A>().offer(info, wire::Bytes(t.frame.data, t.frame.length), t.frame.port, t.now, may_concern_flows(t));
  switch (outcome.step) {
    case FragmentStep::first:
      return first_fragment(t, info.key);
    case FragmentStep::whole:
      return dispatch_.decide_packet(t);
    case FragmentStep::follow:
      return follow(t, outcome.decision);
    case FragmentStep::held:
      return {Reason::fragment_held};
    case FragmentStep::early:
      return {Reason::unhandled_fragment};
    case FragmentStep::drop:
      break;
  }
  return {reason_of(outcome.reason)};
}
template Decision Fragments::fragment(Transit<wire::Ipv4Address>&);
template Decision Fragments::fragment(Transit<wire::Ipv6Address>&);

template <class A>
Decision Fragments::first_fragment(Transit<A>& t, const FragmentKey<A>& key) {
  const Decision decision = dispatch_.decide_packet(t);
  // After decide_packet(), because only then the identifier of an echo message has become a port.
  const uint64_t what = decision_of(t.endpoints.source_port, t.endpoints.destination_port, t.packet.protocol);
  if (decision.reason == Reason::no_neighbour) {
    // Whoever keeps frames until the neighbour has answered gives this frame to the director again.
    fragments<A>().postpone(key);
    return decision;
  }
  if (decision.verdict() == Verdict::drop) {
    fragments<A>().reject(key);
    return decision;
  }
  fragments<A>().decide(key, what, [&](wire::Bytes held, uint64_t port) {
    uint8_t* copy = transmitter_.take_buffer(static_cast<uint32_t>(held.size()));
    if (copy == nullptr) return;
    std::memcpy(copy, held.data(), held.size());
    Frame frame;
    frame.data = copy;
    frame.length = static_cast<uint32_t>(held.size());
    frame.port = static_cast<PortId>(port);
    wire::Packet packet;
    wire::dissect(held, packet);
    Transit<A> later{frame, packet, t.now, t.out, t.trace, endpoints_of<A>(copy + packet.l3, packet)};
    if (follow(later, what).verdict() == Verdict::pass) pass_on(later);
  });
  return decision;
}

template <class A>
Decision Fragments::follow(Transit<A>& t, uint64_t decision) {
  FlowKeeper<A>& keeper = flows_.of<A>();
  FlowKey<A> key{t.endpoints, static_cast<uint8_t>(decision)};
  key.endpoints.source_port = static_cast<uint16_t>(decision >> 24);
  key.endpoints.destination_port = static_cast<uint16_t>(decision >> 8);
  const FoundFlow<A> found = keeper.find(keeper.table().hash(key), key, t.tick());
  if (!found) return {Reason::unhandled_fragment};
  t.endpoints = key.endpoints;
  Decision followed = dispatch_.known_or_new(t, found);
  if (followed.verdict() == Verdict::forward) followed.reason = Reason::fragment;
  return followed;
}

}  // namespace sluice::director
