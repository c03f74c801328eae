// SPDX-License-Identifier: Apache-2.0
#include "director/stages/express.h"

#include "core/prefetch.h"
#include "director/outgoing/rewrite.h"
#include "director/tracking/flow_keeper.h"
#include "wire/plain.h"

namespace sluice::director {

namespace {

constexpr uint8_t deciding_flags =
    wire::tcp_flag::syn | wire::tcp_flag::fin | wire::tcp_flag::rst | wire::tcp_flag::ack;

// A flow's protocol, state and flags as the word that they lie in, and the bits of it that must be so.
struct FlowWord {
  uint32_t mask, value;
};
constexpr uint32_t unusual = uint32_t{flow_is_template | flow_flag::egress | flow_flag::one_packet |
                                      flow_flag::tells_client | flow_flag::spliced}
                             << 16;
// Modes: addresses stay as they are; the packet leaves in another one (or, with `local`, nowhere).
constexpr uint32_t not_rewritten = uint32_t{mode_bits(Forwarding::dr) | mode_bits(Forwarding::tunnel)} << 16;
constexpr uint32_t wrapped = uint32_t{mode_bits(Forwarding::tunnel)} << 16;
constexpr FlowWord established_tcp{unusual | 0xffff,
                                   uint32_t{static_cast<uint8_t>(TcpState::established)} << 8 | wire::protocol::tcp};
constexpr FlowWord usual_udp{unusual | 0xff, wire::protocol::udp};

template <class A>
inline uint32_t word_of(const Flow<A>& flow) {
  static_assert(offsetof(Flow<A>, state) == offsetof(Flow<A>, protocol) + 1 &&
                offsetof(Flow<A>, flags) == offsetof(Flow<A>, protocol) + 2);
  uint32_t word;
  std::memcpy(&word, &flow.protocol, sizeof word);
  return word;
}

inline ChecksumChange change_back(ChecksumChange change) {
  // A change of the hop limit follows that of the addresses: 0 does as well there.
  return {static_cast<uint16_t>(~change.addresses), wire::change_back(change.transport)};
}

// One hop less in the word of hop limit and protocol, which lies little-endian: ~m + (m - 1) of RFC 1624.
constexpr uint16_t one_hop_less = 0xfffe;

template <class A>
inline FlowKey<A> key_of(wire::PlainFrame<A> frame) {
  return {{frame.source(), frame.destination(), frame.source_port(), frame.destination_port()}, frame.protocol()};
}

// Whether the packet goes between these endpoints, its `ports` as Endpoints::ports() has them. IPv4's are two words,
// for the compiler to see.
inline bool goes_between(const Endpoints<wire::Ipv4Address>& endpoints, wire::PlainFrame<wire::Ipv4Address> frame,
                         uint32_t frame_ports) {
  uint64_t addresses, others;
  uint32_t ports;
  std::memcpy(&addresses, &endpoints, sizeof addresses);
  std::memcpy(&ports, &endpoints.source_port, sizeof ports);
  std::memcpy(&others, frame.addresses(), sizeof others);
  return addresses == others && ports == frame_ports;
}
inline bool goes_between(const Endpoints<wire::Ipv6Address>& endpoints, wire::PlainFrame<wire::Ipv6Address> frame,
                         uint32_t frame_ports) {
  const wire::Ipv6Address source = frame.source(), destination = frame.destination();
  const uint64_t difference = (endpoints.source.raw[0] ^ source.raw[0]) | (endpoints.source.raw[1] ^ source.raw[1]) |
                              (endpoints.destination.raw[0] ^ destination.raw[0]) |
                              (endpoints.destination.raw[1] ^ destination.raw[1]) | (endpoints.ports() ^ frame_ports);
  return difference == 0;
}
// Whether the packet leaves its flow's state as it is, and the flow is one for the express lane. The look-up has
// compared the endpoints, the protocol is compared here: with that the packet is the flow's.
template <class A>
inline bool keeps_state(const Flow<A>& flow, uint32_t word, wire::PlainFrame<A> frame, bool is_tcp) {
  const FlowWord expected = is_tcp ? established_tcp : usual_udp;
  if ((word & expected.mask) != expected.value) return false;
  return is_tcp ? (frame.tcp_flags() & deciding_flags) == wire::tcp_flag::ack : flow.control == no_flow;
}

// Puts the mirrored half of a flow into the packet. `change`: what the addresses add to the header's checksum. IPv4's
// endpoints lie in a flow as on the wire but for the order of the ports' bytes, so each of both words turns round as a
// whole.
inline void readdress(uint8_t* l3, const Endpoints<wire::Ipv4Address>& half, uint16_t change) {
  static_assert(sizeof half == 12 && offsetof(Endpoints<wire::Ipv4Address>, source_port) == 8);
  uint64_t addresses;
  uint32_t ports;
  std::memcpy(&addresses, &half, sizeof addresses);
  std::memcpy(&ports, &half.source_port, sizeof ports);
  addresses = std::rotl(addresses, 32);
  std::memcpy(l3 + offset::ipv4_source, &addresses, sizeof addresses);
  wire::store_be32(l3 + wire::Ipv4View::minimum_header_length, ports);
  uint8_t* const checksum = l3 + offset::ipv4_checksum;
  wire::store_raw16(checksum, wire::updated_by_folded(wire::load_raw16(checksum), change));
}

inline void readdress(uint8_t* l3, const Endpoints<wire::Ipv6Address>& half, uint16_t) {
  half.destination.store(l3 + offset::ipv6_source);
  half.source.store(l3 + offset::ipv6_destination);
  wire::store_be32(l3 + wire::Ipv6View::header_length, half.ports());
}

template <class A>
inline void take_one_hop(uint8_t* l3) {
  if constexpr (A::family == wire::Family::ipv4) {
    uint8_t* const checksum = l3 + offset::ipv4_checksum;
    wire::store_raw16(checksum, wire::updated_by_folded(wire::load_raw16(checksum), one_hop_less));
    l3[offset::ipv4_ttl]--;
  } else {
    l3[offset::ipv6_hop_limit]--;
  }
}

// What a virtual NIC has left of the work on a frame.
inline bool is_offloaded(const Frame& frame) {
  return frame.checksum != TransportChecksum::complete || frame.segmentation != Segmentation::none;
}

// Whether a frame with segments to be cut can go through a tunnel as it is: a device behind the port cuts them.
template <class A>
inline bool stays_whole(const Frame& frame, bool is_tcp, const Port& port) {
  constexpr Segmentation kind = A::family == wire::Family::ipv4 ? Segmentation::tcp4 : Segmentation::tcp6;
  return is_tcp && frame.segmentation == kind && frame.checksum == TransportChecksum::partial && port.cuts_tunnelled;
}

}  // namespace

// --- (1) the headers ---

template <class A>
inline bool ExpressLane::read_plain(const Frame& frame, LookedUp& found) {
  if (!wire::PlainFrame<A>::is(frame.data, frame.length)) return false;
  const wire::PlainFrame<A> plain(frame.data);
  const uint32_t ports = plain.ports();
  const uint64_t hash = table<A>().hash(plain.source(), plain.destination(), ports, plain.protocol());
  found.length = plain.l3_length();
  found.ports = ports;
  found.hash = hash;
  found.kind = {lane_of<A>, true, false, Direction::forward};
  found.bucket = &table<A>().prefetch_bucket(hash);
  return true;
}

[[gnu::noinline]] void ExpressLane::dissect(const Frame& frame, LookedUp& found) {
  wire::dissect({frame.data, frame.length}, found.packet);
  found.kind.is_dissected = true;
}

[[gnu::noinline]] void ExpressLane::read_other(const Frame& frame, LookedUp& found) {
  const wire::Packet& packet = found.packet;
  dissect(frame, found);
  found.kind.lane = Lane::none;
  found.kind.has_key = packet.malformed == wire::Malformed::ok && packet.has_ports;
  if (!found.kind.has_key) return;
  const uint8_t* l3 = frame.data + packet.l3;
  if (packet.ip_version == 4) {
    found.hash = flows4_.hash({endpoints_of<wire::Ipv4Address>(l3, packet), packet.protocol});
    found.bucket = &flows4_.prefetch_bucket(found.hash);
  } else {
    found.hash = flows6_.hash({endpoints_of<wire::Ipv6Address>(l3, packet), packet.protocol});
    found.bucket = &flows6_.prefetch_bucket(found.hash);
  }
}

// --- (2) the bucket ---

template <class A>
inline bool ExpressLane::fetch_flow(LookedUp& found) {
  const auto& bucket = *static_cast<const typename FlowTable<A>::Bucket*>(found.bucket);
  FoundFlow<A> probable;
  if (!table<A>().prefetch_flow(found.hash, bucket, probable)) return false;
  found.flow = probable.flow;
  found.kind.direction = probable.direction;
  return true;
}

template <class A>
inline void ExpressLane::fetch_plain_flow(const Frame& frame, LookedUp& found) {
  if (!fetch_flow<A>(found)) [[unlikely]]
    find<A>(frame, found);
}

[[gnu::noinline]] void ExpressLane::fetch_other_flow(const Frame& frame, LookedUp& found) {
  if (found.kind.lane == Lane::ipv6) return fetch_plain_flow<wire::Ipv6Address>(frame, found);
  found.flow = nullptr;
  if (!found.kind.has_key) return;
  if (found.packet.ip_version == 6) {
    fetch_flow<wire::Ipv6Address>(found);
  } else {
    fetch_flow<wire::Ipv4Address>(found);
  }
}

// --- (3) the flow ---

template <class A>
inline void ExpressLane::fetch_destination(const Frame& frame, LookedUp& found) {
  const auto* const flow = static_cast<const Flow<A>*>(found.flow);
  if (flow->destination == no_destination) [[unlikely]]
    return find<A>(frame, found);
  const Endpoints<A>& half = found.kind.direction == Direction::forward ? flow->forward : flow->reverse;
  if (!goes_between(half, wire::PlainFrame<A>(frame.data), found.ports)) [[unlikely]]
    return find<A>(frame, found);
  Destination& destination = services_.destination(flow->destination);
  found.destination = &destination;
  core::prefetch(&destination);
  if ((flow->flags & mode_bits(Forwarding::tunnel)) != 0) core::prefetch(&destination.outer);
}

// What the bucket names is another flow or nothing, or the table has changed since.
template <class A>
[[gnu::noinline]] void ExpressLane::find(const Frame& frame, LookedUp& found) {
  const FoundFlow<A> flow = table<A>().find(found.hash, key_of(wire::PlainFrame<A>(frame.data)));
  found.flow = flow.flow;
  found.kind.direction = flow.direction;
  if (flow && flow.flow->destination != no_destination) {
    found.destination = &services_.destination(flow.flow->destination);
  } else {
    found.kind.lane = Lane::none;
  }
}

[[gnu::noinline]] void ExpressLane::fetch_other_destination(const Frame& frame, LookedUp& found) {
  if (found.kind.lane == Lane::ipv6) return fetch_destination<wire::Ipv6Address>(frame, found);
  if (!found.kind.is_dissected || found.flow == nullptr) return;
  const uint32_t id = found.packet.ip_version == 6
                          ? static_cast<const Flow<wire::Ipv6Address>*>(found.flow)->destination
                          : static_cast<const Flow<wire::Ipv4Address>*>(found.flow)->destination;
  if (id != no_destination) core::prefetch(&services_.destination(id));
}

ExpressLane::Batch ExpressLane::look_up(std::span<Frame> frames, Decision* decisions, uint32_t cause, Time now,
                                        TransmitQueue& out) {
  const std::span<LookedUp> batch(looked_up_.data(), frames.size());
  const Frame* frame = frames.data();
  for (LookedUp& found : batch) {
    if (!read_plain<wire::Ipv4Address>(*frame, found) && !read_plain<wire::Ipv6Address>(*frame, found)) {
      read_other(*frame, found);
    }
    frame++;
  }
  frame = frames.data();
  for (LookedUp& found : batch) {
    if (found.kind.lane == Lane::ipv4) [[likely]] {
      fetch_plain_flow<wire::Ipv4Address>(*frame, found);
    } else {
      fetch_other_flow(*frame, found);
    }
    frame++;
  }
  const uint32_t changes4 = flows4_.changes(), changes6 = flows6_.changes();
  frame = frames.data();
  for (LookedUp& found : batch) {
    if (found.kind.lane == Lane::ipv4) [[likely]] {
      fetch_destination<wire::Ipv4Address>(*frame, found);
    } else {
      fetch_other_destination(*frame, found);
    }
    frame++;
  }
  looked_up_[frames.size()].kind.lane = Lane::none;
  const Tick tick = tick_at(now);
  return {frames,
          decisions,
          cause,
          out,
          now,
          tick,
          tick + established_ticks_,
          tick + udp_ticks_,
          changes4,
          changes6,
          transmitter_.route_table()};
}

const LookedUp& ExpressLane::look_up_for_decision(const Frame& frame) {
  read_other(frame, looked_up_[0]);
  return looked_up_[0];
}

// --- (4) the packet ---

// The packet leaves: it counts, its flow lives on, its frame is queued with the link header of `hop`. `length` is the
// packet's before a tunnel's headers; `bytes` are the frame's, which has `leaving_length` of them.
template <class A, Direction direction, bool is_tcp>
inline Frame& ExpressLane::leave(const Batch& batch, const Arrival& arrival, Flow<A>& flow, const NextHop& hop,
                                 uint32_t length, uint8_t* bytes, uint32_t leaving_length) {
  constexpr bool is_request = direction == Direction::forward;
  constexpr Reason reason = is_request ? Reason::established : Reason::reply;
  TransmitQueue::Entry& leaving = arrival.leaving;
  leaving.frame = arrival.frame;
  leaving.frame.length = leaving_length;
  leaving.frame.port = hop.port;
  leaving.cause = arrival.cause;
  std::memcpy(bytes, &hop.destination, 2 * wire::MacAddress::size);

  Counters& counters = arrival.found.destination->counters;
  if (is_request) {
    counters.packets_in++;
    counters.bytes_in += length;
    flow.count_packet();
  } else {
    counters.packets_out++;
    counters.bytes_out += length;
  }
  table<A>().touch(flow, is_tcp ? batch.established_until : batch.udp_until);
  counts_[static_cast<size_t>(reason)]++;
  arrival.decision = {reason, flow.destination};
  return leaving.frame;
}
static_assert(offsetof(NextHop, source) == offsetof(NextHop, destination) + wire::MacAddress::size,
              "as in the link header");

// Apart, as all that is not the usual frame of IPv4: that one has the registers to itself.
template <class A, bool is_tcp, bool may_be_offloaded>
[[gnu::noinline]] bool ExpressLane::forward_by_tunnel(const Batch& batch, Arrival arrival, Flow<A>& flow,
                                                      const NextHop& hop) {
  using Plain = wire::PlainFrame<A>;
  const Frame& frame = arrival.frame;
  const OuterHeaders& outer = arrival.found.destination->outer;
  uint8_t* const inner = frame.data + Plain::l3;
  const uint32_t length = arrival.found.length;
  if ((flow.flags & flow_flag::mode_mask) != mode_bits(Forwarding::tunnel)) return false;
  bool is_whole = false;
  if (may_be_offloaded && frame.segmentation != Segmentation::none) {
    const uint32_t headers = Plain(frame.data).payload() - static_cast<uint32_t>(Plain::l3);
    is_whole = stays_whole<A>(frame, is_tcp, batch.route_table.ports()[hop.port]);
    if (!is_whole || headers + frame.segment_size > outer.longest) return false;
    if (length + outer.length > wire::Ipv4View::maximum_length) return false;
  } else {
    if (length > outer.longest) return false;
  }

  take_one_hop<A>(inner);
  if (may_be_offloaded && !is_whole && frame.checksum == TransportChecksum::partial) {
    complete_checksum({inner, length, A::family}, Plain::l4 - Plain::l3,
                      is_tcp ? wire::protocol::tcp : wire::protocol::udp);
  }
  uint8_t* const bytes = outer.put_before<A>(inner, length, transmitter_.next_id(), switches_.pmtu_disc) -
                         wire::EthernetView::header_length;
  wire::store_be16(bytes + wire::EthernetView::type_offset,
                   outer.is_ipv4() ? wire::ethertype::ipv4 : wire::ethertype::ipv6);
  Frame& leaving = leave<A, Direction::forward, is_tcp>(batch, arrival, flow, hop, length, bytes,
                                                        static_cast<uint32_t>(Plain::l3) + outer.length + length);
  leaving.data = bytes;
  if (is_whole) {
    leaving.tunnel_length = outer.length;
  } else {
    leaving.checksum = TransportChecksum::complete;
  }
  return true;
}

// True: the packet is done with. False: it is as it was.
template <class A, Direction direction, bool is_tcp, bool may_be_offloaded>
inline bool ExpressLane::forward_packet(const Batch& batch, const Arrival& arrival) {
  using Plain = wire::PlainFrame<A>;
  constexpr bool is_request = direction == Direction::forward;
  const Frame& frame = arrival.frame;
  Flow<A>& flow = *static_cast<Flow<A>*>(arrival.found.flow);
  Destination& destination = *arrival.found.destination;
  uint8_t* const bytes = frame.data;
  const Plain plain(bytes);
  const uint32_t word = word_of(flow);

  if (!keeps_state(flow, word, plain, is_tcp) || is_due(flow.deadline, batch.tick) || plain.hop_limit() <= 1 ||
      !batch.route_table.is_for(frame.port, bytes) || !destination.available) {
    return false;
  }
  if constexpr (Plain::is_v4) {
    if (!plain.header_checksum_ok()) return false;
  }
  const NextHop& hop =
      is_request ? transmitter_.hop_to(destination, batch.now) : batch.route_table.way_to(flow.forward.source);
  const bool keeps_addresses = (word & not_rewritten) != 0;
  if (keeps_addresses && (word & wrapped) != 0) {
    return is_request && forward_by_tunnel<A, is_tcp, may_be_offloaded>(batch, arrival, flow, hop);
  }
  const uint32_t length = arrival.found.length;
  if (may_be_offloaded && frame.segmentation != Segmentation::none) {
    // Whoever cuts it asks for the segments' length alone.
    if (plain.payload() - static_cast<uint32_t>(Plain::l3) + frame.segment_size > hop.plain_mtu) return false;
  } else {
    if (length > hop.plain_mtu) return false;
  }

  if (!keeps_addresses) [[likely]] {
    const Endpoints<A>& half = is_request ? flow.reverse : flow.forward;
    const ChecksumChange change = is_request ? flow.change : change_back(flow.change);
    uint8_t* const field =
        bytes + Plain::l4 + (is_tcp ? wire::TcpView::checksum_offset : wire::UdpView::checksum_offset);
    const uint16_t checksum = wire::load_raw16(field);
    if (may_be_offloaded && frame.checksum == TransportChecksum::partial) {
      const uint16_t addresses = is_request ? flow.change.addresses : wire::change_back(flow.change.addresses);
      wire::store_raw16(field, wire::updated_partial(checksum, addresses));
    } else if constexpr (is_tcp) {
      wire::store_raw16(field, wire::updated_by_folded(checksum, change.transport));
    } else {
      if (checksum == wire::no_udp_checksum) return false;
      wire::store_raw16(field, wire::udp_checksum_on_wire(wire::updated_by_folded(checksum, change.transport)));
    }
    readdress(bytes + Plain::l3, half, change.addresses);
  }
  take_one_hop<A>(bytes + Plain::l3);
  leave<A, direction, is_tcp>(batch, arrival, flow, hop, length, bytes, static_cast<uint32_t>(Plain::l3) + length);
  return true;
}

// Packets of one family as long as nothing else comes. Behind the last frame is one on no lane. With
// `may_be_offloaded`, work may be left to a device, and the table may have changed since the look-up.
template <class A, bool may_be_offloaded>
[[gnu::noinline, gnu::flatten]] uint32_t ExpressLane::forward_run(const Batch& batch, uint32_t at) {
  const bool looks_up_again = may_be_offloaded && has_changed<A>(batch);
  LookedUp* found = &looked_up_[at];
  const Frame* frame = &batch.frames[at];
  Decision* decision = &batch.decisions[at];
  TransmitQueue::Entry* leaving = batch.out.reserve(batch.frames.size() - at);
  uint32_t cause = batch.cause + at;
  for (; found->kind.lane == lane_of<A> && (may_be_offloaded || !is_offloaded(*frame));
       frame++, found++, decision++, leaving++, cause++) {
    if (looks_up_again) {
      find<A>(*frame, *found);
      if (found->kind.lane == Lane::none) break;
    }
    const bool is_tcp = wire::PlainFrame<A>(frame->data).protocol() == wire::protocol::tcp;
    const Arrival arrival{*frame, *found, *decision, *leaving, cause};
    bool is_done;
    if (found->kind.direction == Direction::forward) {
      is_done = is_tcp ? forward_packet<A, Direction::forward, true, may_be_offloaded>(batch, arrival)
                       : forward_packet<A, Direction::forward, false, may_be_offloaded>(batch, arrival);
    } else {
      is_done = is_tcp ? forward_packet<A, Direction::reverse, true, may_be_offloaded>(batch, arrival)
                       : forward_packet<A, Direction::reverse, false, may_be_offloaded>(batch, arrival);
    }
    if (!is_done) {
      found->kind.lane = Lane::none;
      break;
    }
  }
  batch.out.take(leaving);
  return cause - batch.cause;
}

template <class A>
inline bool ExpressLane::has_changed(const Batch& batch) {
  return table<A>().changes() != (A::family == wire::Family::ipv4 ? batch.changes4 : batch.changes6);
}

template <class A>
inline uint32_t ExpressLane::forward_family(const Batch& batch, uint32_t at) {
  if (is_offloaded(batch.frames[at]) || has_changed<A>(batch)) return forward_run<A, true>(batch, at);
  return forward_run<A, false>(batch, at);
}

uint32_t ExpressLane::forward(const Batch& batch, uint32_t at) {
  while (looked_up_[at].kind.lane != Lane::none) {
    at = looked_up_[at].kind.lane == Lane::ipv4 ? forward_family<wire::Ipv4Address>(batch, at)
                                                : forward_family<wire::Ipv6Address>(batch, at);
  }
  return at;
}

}  // namespace sluice::director
