// SPDX-License-Identifier: Apache-2.0
// A batch of frames, and the express lane for most of them.
//
// Theory of operation
//
// A batch is gone through four times, so that what one frame needs from memory is on its way while others are looked
// at: (1) dissect the frame, fetch the bucket of its flow; (2) read the bucket, fetch the flow; (3) read the flow,
// fetch the real server; (4) decide. A decision may change the table under the frames behind it, so what (3) found
// counts only while the table is as it was then.
//
// The express lane takes the packets that change nothing but counters, the flow's deadline and bytes of the header:
// of established TCP connections and UDP flows, by NAT, FULLNAT or DR, in plain frames (wire/plain.h) that
// are whole, fit, and have a reachable next hop; checksums and segments may be left to a device. It makes no decision
// of its own: a packet of which anything at all is out of the ordinary is left untouched to decide(), which handles
// every packet, these too, in the kernel's order (and alone explains itself, so with a trace there is no express lane).
// Its place is before the checks whose outcome is the same for all of these packets:
//
//   decide()                             here
//   flow due                             left to decide()
//   bad IPv4 checksum, other MAC         left to decide()
//   starts_anew: SYN                     left to decide(), as FIN and RST: established and ACK stay established
//   server removed or overridden         left to decide()
//   no_output cleared by a reply         left to decide(), once
//   a template assured by UDP's reply    left to decide(): UDP flows with a template
//   TTL, MTU, route, neighbour, VLAN     left to decide()
//
// director_express_test.cc compares both on random packets.
#include "core/prefetch.h"
#include "director/outgoing/rewrite.h"
#include "director/stages/director.h"
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
                                      flow_flag::tells_client | flow_flag::spliced | mode_bits(Forwarding::tunnel)}
                             << 16;
constexpr FlowWord established_tcp{unusual | 0xffff,
                                   uint32_t{static_cast<uint8_t>(TcpState::established)} << 8 | wire::protocol::tcp};
constexpr FlowWord usual_udp{unusual | 0xff, wire::protocol::udp};

template <class A>
inline bool is(const Flow<A>& flow, FlowWord expected) {
  static_assert(offsetof(Flow<A>, state) == offsetof(Flow<A>, protocol) + 1 &&
                offsetof(Flow<A>, flags) == offsetof(Flow<A>, protocol) + 2);
  uint32_t word;
  std::memcpy(&word, &flow.protocol, sizeof word);
  return (word & expected.mask) == expected.value;
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
  return endpoints.source == frame.source() && endpoints.destination == frame.destination() &&
         endpoints.ports() == frame_ports;
}
// By the endpoints alone; keeps_state() has the rest of the key.
template <class A>
inline bool goes_between(const Flow<A>& flow, Direction direction, wire::PlainFrame<A> frame, uint32_t ports) {
  return goes_between(direction == Direction::forward ? flow.forward : flow.reverse, frame, ports);
}

// Whether the packet leaves its flow's state as it is, and the flow is one for the express lane.
template <class A>
inline bool keeps_state(const Flow<A>& flow, wire::PlainFrame<A> frame, bool is_tcp) {
  if (is_tcp) return is(flow, established_tcp) && (frame.tcp_flags() & deciding_flags) == wire::tcp_flag::ack;
  return is(flow, usual_udp) && flow.control == no_flow;
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

}  // namespace

// --- (1) the frame ---

template <class A>
inline bool Director::prepare_plain(const Frame& frame, Prepared& prepared) {
  if (!wire::PlainFrame<A>::is(frame.data, frame.length)) return false;
  const FlowTable<A>& table = flows<A>().table();
  const wire::PlainFrame<A> plain(frame.data);
  const uint32_t length = static_cast<uint32_t>(plain.l3) + plain.l3_length();
  const uint32_t ports = plain.ports();
  const uint64_t hash = table.hash(plain.source(), plain.destination(), ports, plain.protocol());
  prepared.length = length;
  prepared.ports = ports;
  prepared.hash = hash;
  prepared.lane = A::family == wire::Family::ipv4 ? Lane::plain4 : Lane::plain6;
  prepared.plain<A>().bucket = &table.prefetch_bucket(hash);
  return true;
}

[[gnu::noinline]] void Director::prepare_other(const Frame& frame, Prepared& prepared) {
  prepared.plain4 = prepared.other = {};
  if (prepare_plain<wire::Ipv6Address>(frame, prepared)) return;
  const wire::Packet& packet = prepared.packet;
  wire::dissect({frame.data, frame.length}, prepared.packet);
  prepared.lane = packet.malformed == wire::Malformed::ok && packet.has_ports ? Lane::other : Lane::flowless;
  if (prepared.lane == Lane::flowless) return;
  const uint8_t* l3 = frame.data + packet.l3;
  if (packet.ip_version == 4) {
    prepared.hash = flows4_.table().hash({endpoints_of<wire::Ipv4Address>(l3, packet), packet.protocol});
    prepared.other.bucket = &flows4_.table().prefetch_bucket(prepared.hash);
  } else {
    prepared.hash = flows6_.table().hash({endpoints_of<wire::Ipv6Address>(l3, packet), packet.protocol});
    prepared.other.bucket = &flows6_.table().prefetch_bucket(prepared.hash);
  }
}

// --- (2) the bucket ---

template <class A>
inline void Director::fetch_flow(uint64_t hash, Path& path) {
  const auto& bucket = *static_cast<const typename FlowTable<A>::Bucket*>(path.bucket);
  const FoundFlow<A> probable = flows<A>().table().prefetch_flow(hash, bucket);
  path.flow = probable.flow;
  path.direction = probable.direction;
}

[[gnu::noinline]] void Director::fetch_other_flow(Prepared& prepared) {
  if (prepared.lane == Lane::flowless) return;
  if (prepared.lane == Lane::plain6 || prepared.packet.ip_version == 6) {
    fetch_flow<wire::Ipv6Address>(prepared.hash, prepared.other);
  } else {
    fetch_flow<wire::Ipv4Address>(prepared.hash, prepared.other);
  }
}

// --- (3) the flow ---

template <class A>
inline void Director::fetch_destination(const Frame& frame, Prepared& prepared) {
  Path& path = prepared.plain<A>();
  const auto& flow = *static_cast<const Flow<A>*>(path.flow);
  if (!goes_between(flow, path.direction, wire::PlainFrame<A>(frame.data), prepared.ports) ||
      flow.destination == no_destination) [[unlikely]] {
    return find_plain<A>(frame, prepared);
  }
  path.destination = &services_.destination(flow.destination);
  core::prefetch(path.destination);
}

// What the bucket names is another flow or nothing, or the table has changed since.
template <class A>
[[gnu::noinline]] void Director::find_plain(const Frame& frame, Prepared& prepared) {
  const FoundFlow<A> found = flows<A>().table().find(prepared.hash, key_of(wire::PlainFrame<A>(frame.data)));
  const bool has_destination = found && found.flow->destination != no_destination;
  Path& path = prepared.plain<A>();
  path.flow = found.flow;
  path.direction = found.direction;
  path.destination = has_destination ? &services_.destination(found.flow->destination) : nullptr;
}

[[gnu::noinline]] void Director::fetch_other_destination(const Frame& frame, Prepared& prepared) {
  const void* const flow = prepared.other.flow;
  if (prepared.lane == Lane::plain4) {
    find_plain<wire::Ipv4Address>(frame, prepared);
  } else if (prepared.lane == Lane::plain6) {
    if (flow != nullptr) return fetch_destination<wire::Ipv6Address>(frame, prepared);
    find_plain<wire::Ipv6Address>(frame, prepared);
  } else if (flow != nullptr) {
    const uint32_t id = prepared.packet.ip_version == 6
                            ? static_cast<const Flow<wire::Ipv6Address>*>(flow)->destination
                            : static_cast<const Flow<wire::Ipv4Address>*>(flow)->destination;
    if (id != no_destination) core::prefetch(&services_.destination(id));
  }
}

// --- (4) the decision ---

// What a virtual NIC has left of the work on a frame.
inline bool is_offloaded(const Frame& frame) {
  return frame.checksum != TransportChecksum::complete || frame.segmentation != Segmentation::none;
}

// True: the packet is done with. False: it is as it was.
template <class A, Direction direction, bool is_tcp, bool may_be_offloaded>
inline bool Director::forward_plain(const Frame& frame, uint32_t frame_length, Flow<A>& flow, Destination& destination,
                                    const Moment& moment, uint32_t cause, TransmitQueue& out, Decision& decision) {
  using Plain = wire::PlainFrame<A>;
  constexpr bool is_request = direction == Direction::forward;
  constexpr Reason reason = is_request ? Reason::established : Reason::reply;
  uint8_t* const bytes = frame.data;
  const Plain plain(bytes);
  const uint32_t length = frame_length - static_cast<uint32_t>(Plain::l3);

  if (!keeps_state(flow, plain, is_tcp) || is_due(flow.deadline, moment.tick) || plain.hop_limit() <= 1 ||
      !is_for_this_host(frame)) {
    return false;
  }
  if constexpr (Plain::is_v4) {
    if (!plain.header_checksum_ok()) return false;
  }
  const NextHop& hop =
      is_request ? transmitter_.hop_to(destination, moment.now) : route_table().way_to(flow.forward.source);
  if (!destination.available) return false;
  if constexpr (may_be_offloaded) {
    // Whoever cuts it asks for the segments' length alone.
    const bool is_cut = frame.segmentation != Segmentation::none;
    const uint32_t headers = plain.payload() - static_cast<uint32_t>(Plain::l3);
    if ((is_cut ? headers + frame.segment_size : length) > hop.plain_mtu) return false;
  } else {
    if (length > hop.plain_mtu) return false;
  }

  if (!is_request || (flow.flags & mode_bits(Forwarding::dr)) == 0) {
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
  Counters& counters = destination.counters;
  if (is_request) {
    counters.packets_in++;
    counters.bytes_in += length;
    flow.count_packet();
  } else {
    counters.packets_out++;
    counters.bytes_out += length;
  }
  flows<A>().table().touch(flow, is_tcp ? moment.established_until : moment.udp_until);

  TransmitQueue::Entry& leaving = out.add();
  std::memcpy(bytes, &hop.destination, 2 * wire::MacAddress::size);
  leaving.frame = frame;
  leaving.frame.length = frame_length;
  leaving.frame.port = hop.port;
  leaving.cause = cause;
  decision = {reason, flow.destination};
  counts_[static_cast<size_t>(reason)]++;
  return true;
}
static_assert(offsetof(NextHop, source) == offsetof(NextHop, destination) + wire::MacAddress::size,
              "as in the link header");

// For a frame whose path has a real server. `changes`: of the table, when the bucket was looked at.
template <class A, bool may_be_offloaded>
inline bool Director::express(const Frame& frame, Prepared& prepared, uint32_t changes, const Moment& moment,
                              uint32_t cause, TransmitQueue& out, Decision& decision) {
  if (!may_be_offloaded && is_offloaded(frame)) {
    return express_offloaded<A>(frame, prepared, changes, moment, cause, out, decision);
  }
  Path& path = prepared.plain<A>();
  if (flows<A>().table().changes() != changes) [[unlikely]] {
    find_plain<A>(frame, prepared);
    if (path.destination == nullptr) return false;
  }
  const bool is_tcp = wire::PlainFrame<A>(frame.data).protocol() == wire::protocol::tcp;
  const auto forward = [&]<Direction direction, bool tcp>() {
    return forward_plain<A, direction, tcp, may_be_offloaded>(frame, prepared.length, *static_cast<Flow<A>*>(path.flow),
                                                              *path.destination, moment, cause, out, decision);
  };
  if (path.direction == Direction::forward) {
    return is_tcp ? forward.template operator()<Direction::forward, true>()
                  : forward.template operator()<Direction::forward, false>();
  }
  return is_tcp ? forward.template operator()<Direction::reverse, true>()
                : forward.template operator()<Direction::reverse, false>();
}

// Apart, as what follows: the usual frame of IPv4 has the registers to itself.
template <class A>
[[gnu::noinline]] bool Director::express_offloaded(const Frame& frame, Prepared& prepared, uint32_t changes,
                                                   const Moment& moment, uint32_t cause, TransmitQueue& out,
                                                   Decision& decision) {
  return express<A, true>(frame, prepared, changes, moment, cause, out, decision);
}

[[gnu::noinline]] bool Director::express6(const Frame& frame, Prepared& prepared, uint32_t changes,
                                          const Moment& moment, uint32_t cause, TransmitQueue& out,
                                          Decision& decision) {
  return express<wire::Ipv6Address, false>(frame, prepared, changes, moment, cause, out, decision);
}

[[gnu::noinline]] Decision Director::decide_fully(Frame& frame, Prepared& prepared, uint32_t cause, Time now,
                                                  TransmitQueue& out) {
  if (prepared.lane <= Lane::plain6) wire::dissect({frame.data, frame.length}, prepared.packet);
  out.set_cause(cause);
  return decide(frame, prepared, now, out, nullptr);
}

Decision Director::receive(Frame& frame, Time now, TransmitQueue& out, Trace* trace) {
  if (trace == nullptr) {
    Decision decision;
    receive_batch({&frame, 1}, {&decision, 1}, now, out);
    return decision;
  }
  transmitter_.begin_batch();
  Prepared& prepared = prepared_[0];
  prepare_other(frame, prepared);
  wire::dissect({frame.data, frame.length}, prepared.packet);
  return decide(frame, prepared, now, out, trace);
}

void Director::receive_batch(std::span<Frame> frames, std::span<Decision> decisions, Time now, TransmitQueue& out) {
  transmitter_.begin_batch();
  for (size_t done = 0; done < frames.size(); done += batch_size) {
    const size_t count = std::min(batch_size, frames.size() - done);
    receive_some({&frames[done], count}, &decisions[done], static_cast<uint32_t>(done), now, out);
  }
}

// At most batch_size frames, the first of them number `cause` of the batch.
[[gnu::flatten]] void Director::receive_some(std::span<Frame> frames, Decision* decisions, uint32_t cause, Time now,
                                             TransmitQueue& out) {
  const std::span<Prepared> batch(prepared_.data(), frames.size());
  Frame* frame = frames.data();
  for (Prepared& prepared : batch) {
    if (!prepare_plain<wire::Ipv4Address>(*frame, prepared)) prepare_other(*frame, prepared);
    frame++;
  }
  for (Prepared& prepared : batch) {
    if (prepared.plain4.bucket != nullptr) [[likely]] {
      fetch_flow<wire::Ipv4Address>(prepared.hash, prepared.plain4);
    } else {
      fetch_other_flow(prepared);
    }
  }
  const uint32_t changes4 = flows4_.table().changes(), changes6 = flows6_.table().changes();
  frame = frames.data();
  for (Prepared& prepared : batch) {
    if (prepared.plain4.flow != nullptr) [[likely]] {
      fetch_destination<wire::Ipv4Address>(*frame, prepared);
    } else {
      fetch_other_destination(*frame, prepared);
    }
    frame++;
  }
  const Tick tick = tick_at(now);
  const Moment moment{now, tick, tick + established_ticks_, tick + udp_ticks_};
  frame = frames.data();
  for (Prepared& prepared : batch) {
    bool is_done = false;
    if (prepared.plain4.destination != nullptr) [[likely]] {
      is_done = express<wire::Ipv4Address, false>(*frame, prepared, changes4, moment, cause, out, *decisions);
    } else if (prepared.lane == Lane::plain6 && prepared.other.destination != nullptr) {
      is_done = express6(*frame, prepared, changes6, moment, cause, out, *decisions);
    }
    if (!is_done) *decisions = decide_fully(*frame, prepared, cause, now, out);
    frame++;
    decisions++;
    cause++;
  }
}

}  // namespace sluice::director
