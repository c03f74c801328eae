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
// are whole, fit, and have a reachable next hop. It makes no decision of its own: a packet of which anything at all is
// out of the ordinary is left untouched to decide(), which handles every packet, these too, in the kernel's order
// (and alone explains itself, so with a trace there is no express lane). Its place is before the checks whose outcome
// is the same for all of these packets:
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
#include "lvs/director.h"
#include "lvs/prefetch.h"
#include "lvs/rewrite.h"
#include "wire/plain.h"

namespace sluice::lvs {

namespace {

constexpr uint8_t deciding_flags =
    wire::tcp_flag::syn | wire::tcp_flag::fin | wire::tcp_flag::rst | wire::tcp_flag::ack;

// A flow's protocol, state and flags as the word that they lie in, and the bits of it that must be so.
struct FlowWord {
  uint32_t mask, value;
};
constexpr uint32_t unusual = uint32_t{flow_is_template | flow_flag::egress | flow_flag::one_packet |
                                      flow_flag::tells_client | flow_flag::proxied | mode_bits(Forwarding::tunnel)}
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

// One hop less in the word of hop limit and protocol, which lies little-endian: ~m + (m - 1) of RFC 1624.
constexpr wire::Sum one_hop_less = 0xfffe;

template <class A>
inline FlowKey<A> key_of(wire::PlainFrame<A> frame) {
  return {{frame.source(), frame.destination(), frame.source_port(), frame.destination_port()}, frame.protocol()};
}

// Whether the packet goes between these endpoints. IPv4's are two words, for the compiler to see.
inline bool goes_between(const Endpoints<wire::Ipv4Address>& endpoints, wire::PlainFrame<wire::Ipv4Address> frame) {
  uint64_t addresses, others;
  uint32_t ports;
  std::memcpy(&addresses, &endpoints, sizeof addresses);
  std::memcpy(&ports, &endpoints.source_port, sizeof ports);
  std::memcpy(&others, frame.addresses(), sizeof others);
  return addresses == others && ports == frame.ports();
}
inline bool goes_between(const Endpoints<wire::Ipv6Address>& endpoints, wire::PlainFrame<wire::Ipv6Address> frame) {
  return endpoints.source == frame.source() && endpoints.destination == frame.destination() &&
         endpoints.ports() == frame.ports();
}
// By the endpoints alone; keeps_state() has the rest of the key.
template <class A>
inline bool goes_between(FoundFlow<A> found, wire::PlainFrame<A> frame) {
  return goes_between(found.direction == Direction::forward ? found.flow->forward : found.flow->reverse, frame);
}

// Whether the packet leaves its flow's state as it is, and the flow is one for the express lane.
template <class A>
inline bool keeps_state(const Flow<A>& flow, wire::PlainFrame<A> frame, bool is_tcp) {
  if (is_tcp) [[likely]]
    return is(flow, established_tcp) && (frame.tcp_flags() & deciding_flags) == wire::tcp_flag::ack;
  return is(flow, usual_udp) && flow.control == no_flow;
}

// Puts the mirrored half of a flow into the packet, with one hop less. What that adds to the checksum of its transport
// comes back. IPv4's endpoints lie in a flow as on the wire but for the order of the ports' bytes, so each of both
// words turns round as a whole.
inline wire::Sum readdress(uint8_t* l3, const Endpoints<wire::Ipv4Address>& half) {
  static_assert(sizeof half == 12 && offsetof(Endpoints<wire::Ipv4Address>, source_port) == 8);
  uint8_t* const addresses_at = l3 + offset::ipv4_source;
  uint8_t* const ports_at = l3 + wire::Ipv4View::minimum_header_length;
  uint64_t addresses, old_addresses;
  uint32_t ports, old_ports;
  std::memcpy(&addresses, &half, sizeof addresses);
  std::memcpy(&ports, &half.source_port, sizeof ports);
  std::memcpy(&old_addresses, addresses_at, sizeof old_addresses);
  std::memcpy(&old_ports, ports_at, sizeof old_ports);
  addresses = std::rotl(addresses, 32);
  ports = __builtin_bswap32(ports);
  const wire::Sum change = wire::fold(wire::add_with_carry(~old_addresses, addresses));
  std::memcpy(addresses_at, &addresses, sizeof addresses);
  std::memcpy(ports_at, &ports, sizeof ports);
  uint8_t* const checksum = l3 + offset::ipv4_checksum;
  wire::store_raw16(checksum, wire::updated_by_little(wire::load_raw16(checksum), change + one_hop_less));
  l3[offset::ipv4_ttl]--;
  return change + wire::change32(old_ports, ports);
}

inline wire::Sum readdress(uint8_t* l3, const Endpoints<wire::Ipv6Address>& half) {
  uint8_t* const ports_at = l3 + wire::Ipv6View::header_length;
  const auto from = Endpoints<wire::Ipv6Address>{wire::Ipv6Address::load(l3 + offset::ipv6_source),
                                                 wire::Ipv6Address::load(l3 + offset::ipv6_destination)};
  const Endpoints<wire::Ipv6Address> to = half.mirrored();
  uint32_t ports, old_ports;
  std::memcpy(&ports, &half.source_port, sizeof ports);
  std::memcpy(&old_ports, ports_at, sizeof old_ports);
  ports = __builtin_bswap32(ports);
  to.source.store(l3 + offset::ipv6_source);
  to.destination.store(l3 + offset::ipv6_destination);
  std::memcpy(ports_at, &ports, sizeof ports);
  l3[offset::ipv6_hop_limit]--;
  return wire::change(from.source, to.source) + wire::change(from.destination, to.destination) +
         wire::change32(old_ports, ports);
}

}  // namespace

// --- (1) the frame ---

template <class A>
inline bool Director::prepare_plain(const Frame& frame, Prepared& prepared) {
  if (!wire::PlainFrame<A>::is(frame.data, frame.length)) return false;
  const FlowTable<A>& table = flows<A>().table();
  prepared.hash = table.hash(key_of(wire::PlainFrame<A>(frame.data)));
  prepared.lane = A::family == wire::Family::ipv4 ? Lane::plain4 : Lane::plain6;
  prepared.is_hashed = true;
  prepared.bucket = &table.prefetch_bucket(prepared.hash);
  return true;
}

[[gnu::noinline]] void Director::prepare_other(const Frame& frame, Prepared& prepared) {
  if (prepare_plain<wire::Ipv6Address>(frame, prepared)) return;
  const wire::Packet& packet = prepared.packet;
  wire::dissect({frame.data, frame.length}, prepared.packet);
  prepared.lane = Lane::other;
  prepared.is_hashed = packet.malformed == wire::Malformed::ok && packet.has_ports;
  if (!prepared.is_hashed) return;
  const uint8_t* l3 = frame.data + packet.l3;
  if (packet.ip_version == 4) {
    prepared.hash = flows4_.table().hash({endpoints_of<wire::Ipv4Address>(l3, packet), packet.protocol});
    prepared.bucket = &flows4_.table().prefetch_bucket(prepared.hash);
  } else {
    prepared.hash = flows6_.table().hash({endpoints_of<wire::Ipv6Address>(l3, packet), packet.protocol});
    prepared.bucket = &flows6_.table().prefetch_bucket(prepared.hash);
  }
}

// --- (2) the bucket ---

template <class A>
inline void Director::fetch_flow(Prepared& prepared) {
  const auto& bucket = *static_cast<const typename FlowTable<A>::Bucket*>(prepared.bucket);
  prepared.probable = flows<A>().table().prefetch_flow(prepared.hash, bucket);
}

[[gnu::noinline]] void Director::fetch_other_flow(Prepared& prepared) {
  if (prepared.lane == Lane::plain6 || prepared.packet.ip_version == 6) {
    fetch_flow<wire::Ipv6Address>(prepared);
  } else {
    fetch_flow<wire::Ipv4Address>(prepared);
  }
}

// --- (3) the flow ---

template <class A>
inline void Director::fetch_destination(const Prepared& prepared) {
  const FlowTable<A>& table = flows<A>().table();
  if (!table.is_probable(prepared.probable)) [[unlikely]]
    return;
  const uint32_t id = table.probable_flow(prepared.probable).flow->destination;
  if (id == no_destination) [[unlikely]]
    return;
  const Destination& destination = services_.destination(id);
  prefetch(&destination);
  prefetch(&destination.hop);
}

[[gnu::noinline]] void Director::fetch_other_destination(const Prepared& prepared) {
  if (prepared.lane == Lane::plain6 || prepared.packet.ip_version == 6) {
    fetch_destination<wire::Ipv6Address>(prepared);
  } else {
    fetch_destination<wire::Ipv4Address>(prepared);
  }
}

// --- (4) the decision ---

// True: the packet is done with. False: it is as it was.
template <class A, Direction direction>
inline bool Director::forward_plain(const Frame& frame, Flow<A>& flow, Time now, uint32_t cause, TransmitQueue& out,
                                    Decision& decision) {
  using Plain = wire::PlainFrame<A>;
  constexpr bool is_request = direction == Direction::forward;
  constexpr Reason reason = is_request ? Reason::established : Reason::reply;
  uint8_t* const bytes = frame.data;
  const Plain plain(bytes);
  const Tick tick = tick_at(now);
  const bool is_tcp = plain.protocol() == wire::protocol::tcp;
  const uint32_t length = plain.l3_length();

  if (!keeps_state(flow, plain, is_tcp) || is_due(flow.deadline, tick) || plain.hop_limit() <= 1 ||
      !is_for_this_host(frame)) {
    return false;
  }
  if constexpr (Plain::is_v4) {
    if (!plain.header_checksum_ok()) return false;
  }
  Destination& destination = services_.destination(flow.destination);
  const NextHop& hop = is_request ? outlet_.hop_to(destination, now) : surroundings().way_to(flow.forward.source);
  if (!destination.available || length > hop.plain_mtu) return false;

  if (!is_request || (flow.flags & mode_bits(Forwarding::dr)) == 0) {
    const Endpoints<A>& half = is_request ? flow.reverse : flow.forward;
    if (is_tcp) [[likely]] {
      const wire::Sum change = readdress(bytes + Plain::l3, half);
      uint8_t* const checksum = bytes + Plain::l4 + wire::TcpView::checksum_offset;
      wire::store_raw16(checksum, wire::updated_checksum(wire::load_raw16(checksum), change));
    } else {
      uint8_t* const checksum = bytes + Plain::l4 + wire::UdpView::checksum_offset;
      if (wire::load_raw16(checksum) == wire::no_udp_checksum) return false;
      const wire::Sum change = readdress(bytes + Plain::l3, half);
      wire::store_raw16(checksum, wire::updated_udp_checksum(wire::load_raw16(checksum), change));
    }
  } else {
    decrement_hop_limit<A>(bytes + Plain::l3);
  }
  Counters& counters = destination.counters;
  if (is_request) {
    counters.packets_in++;
    counters.bytes_in += length;
    flow.count_packet();
  } else {
    counters.packets_out++;
    counters.bytes_out += length;
  }
  flows<A>().table().touch(flow, tick + (is_tcp ? established_ticks_ : udp_ticks_));

  std::memcpy(bytes, &hop.destination, 2 * wire::MacAddress::size);
  TransmitQueue::Entry& leaving = out.add();
  leaving.frame = {.data = bytes,
                   .length = static_cast<uint32_t>(Plain::l3) + length,
                   .port = hop.port,
                   .segment_size = frame.segment_size,
                   .mark = frame.mark};
  leaving.cause = cause;
  decision = {reason, flow.destination};
  counts_[static_cast<size_t>(reason)]++;
  return true;
}
static_assert(offsetof(NextHop, source) == offsetof(NextHop, destination) + wire::MacAddress::size,
              "as in the link header");

template <class A>
[[gnu::noinline]] FoundFlow<A> Director::find_plain(const Frame& frame, const Prepared& prepared) {
  return flows<A>().table().find(prepared.hash, key_of(wire::PlainFrame<A>(frame.data)));
}

// `changes`: of the table, when the bucket was looked at.
template <class A>
inline bool Director::express(const Frame& frame, const Prepared& prepared, uint32_t changes, Time now, uint32_t cause,
                              TransmitQueue& out, Decision& decision) {
  if (frame.checksum != TransportChecksum::complete || frame.segmentation != Segmentation::none) return false;
  const FlowTable<A>& table = flows<A>().table();
  const wire::PlainFrame<A> plain(frame.data);
  FoundFlow<A> found;
  if (table.changes() == changes && table.is_probable(prepared.probable)) [[likely]] {
    found = table.probable_flow(prepared.probable);
  }
  if (!found || !goes_between(found, plain)) [[unlikely]] {
    // The bucket named another flow, or the table has changed since.
    found = find_plain<A>(frame, prepared);
    if (!found) return false;
  }
  return found.direction == Direction::forward
             ? forward_plain<A, Direction::forward>(frame, *found.flow, now, cause, out, decision)
             : forward_plain<A, Direction::reverse>(frame, *found.flow, now, cause, out, decision);
}

// Apart, so that IPv4 has the registers to itself.
[[gnu::noinline]] bool Director::express6(const Frame& frame, const Prepared& prepared, uint32_t changes, Time now,
                                          uint32_t cause, TransmitQueue& out, Decision& decision) {
  return express<wire::Ipv6Address>(frame, prepared, changes, now, cause, out, decision);
}

[[gnu::noinline]] Decision Director::decide_fully(Frame& frame, Prepared& prepared, uint32_t cause, Time now,
                                                  TransmitQueue& out) {
  if (prepared.lane != Lane::other) wire::dissect({frame.data, frame.length}, prepared.packet);
  out.set_cause(cause);
  return decide(frame, prepared, now, out, nullptr);
}

Decision Director::receive(Frame& frame, Time now, TransmitQueue& out, Trace* trace) {
  if (trace == nullptr) {
    Decision decision;
    receive_batch({&frame, 1}, {&decision, 1}, now, out);
    return decision;
  }
  outlet_.begin_batch();
  Prepared& prepared = prepared_[0];
  prepare_other(frame, prepared);
  wire::dissect({frame.data, frame.length}, prepared.packet);
  return decide(frame, prepared, now, out, trace);
}

void Director::receive_batch(std::span<Frame> frames, std::span<Decision> decisions, Time now, TransmitQueue& out) {
  outlet_.begin_batch();
  for (size_t done = 0; done < frames.size(); done += batch_size) {
    const size_t count = std::min(batch_size, frames.size() - done);
    receive_some({&frames[done], count}, &decisions[done], static_cast<uint32_t>(done), now, out);
  }
}

// At most batch_size frames, the first of them number `first` of the batch.
[[gnu::flatten]] void Director::receive_some(std::span<Frame> frames, Decision* decisions, uint32_t first, Time now,
                                             TransmitQueue& out) {
  const size_t count = frames.size();
  for (size_t i = 0; i < count; i++) {
    if (!prepare_plain<wire::Ipv4Address>(frames[i], prepared_[i])) prepare_other(frames[i], prepared_[i]);
  }
  const std::span<Prepared> batch(prepared_.data(), count);
  for (Prepared& prepared : batch) {
    if (prepared.lane == Lane::plain4) [[likely]] {
      fetch_flow<wire::Ipv4Address>(prepared);
    } else if (prepared.is_hashed) {
      fetch_other_flow(prepared);
    }
  }
  const uint32_t changes4 = flows4_.table().changes(), changes6 = flows6_.table().changes();
  for (const Prepared& prepared : batch) {
    if (prepared.lane == Lane::plain4) [[likely]] {
      fetch_destination<wire::Ipv4Address>(prepared);
    } else if (prepared.is_hashed) {
      fetch_other_destination(prepared);
    }
  }
  for (size_t i = 0; i < count; i++) {
    Prepared& prepared = prepared_[i];
    const uint32_t cause = first + static_cast<uint32_t>(i);
    if (prepared.lane == Lane::plain4) [[likely]] {
      if (express<wire::Ipv4Address>(frames[i], prepared, changes4, now, cause, out, decisions[i])) continue;
    } else if (prepared.lane == Lane::plain6) {
      if (express6(frames[i], prepared, changes6, now, cause, out, decisions[i])) continue;
    }
    decisions[i] = decide_fully(frames[i], prepared, cause, now, out);
  }
}

}  // namespace sluice::lvs
