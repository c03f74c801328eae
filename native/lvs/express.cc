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
// of established TCP connections and UDP flows, by NAT, FULLNAT or DR, in plain frames (wire::Packet::is_plain) that
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
#include "lvs/rewrite.h"
#include "wire/ethernet.h"

namespace sluice::lvs {

namespace {

constexpr uint8_t deciding_flags =
    wire::tcp_flag::syn | wire::tcp_flag::fin | wire::tcp_flag::rst | wire::tcp_flag::ack;

// A flow's protocol, state and flags as the word that they lie in, and the bits of it that must be so.
struct FlowWord {
  uint32_t mask, value;
};
constexpr uint32_t unusual = uint32_t{flow_flag::egress | flow_flag::one_packet | flow_flag::tells_client |
                                      mode_bits(Forwarding::tunnel)} << 16;
constexpr FlowWord established_tcp{unusual | 0xffff, uint32_t{static_cast<uint8_t>(TcpState::established)} << 8 |
                                                         wire::protocol::tcp};
constexpr FlowWord usual_udp{unusual | 0xff, wire::protocol::udp};

template <class A>
[[gnu::always_inline]] inline bool is(const Flow<A>& flow, FlowWord expected) {
  static_assert(offsetof(Flow<A>, state) == offsetof(Flow<A>, protocol) + 1 &&
                offsetof(Flow<A>, flags) == offsetof(Flow<A>, protocol) + 2);
  uint32_t word;
  std::memcpy(&word, &flow.protocol, sizeof word);
  return (word & expected.mask) == expected.value;
}

// One hop less in the word of hop limit and protocol, which lies little-endian: ~m + (m - 1) of RFC 1624.
constexpr wire::Sum one_hop_less = 0xfffe;

template <class A>
[[gnu::always_inline]] inline FlowKey<A> key_of(const Frame& frame, const wire::Packet& packet) {
  return {endpoints_of<A>(frame.data + packet.l3, packet), packet.protocol};
}

// Whether the packet leaves its flow's state as it is, and the flow is one for the express lane.
template <class A>
[[gnu::always_inline]] inline bool keeps_state(const Flow<A>& flow, const wire::Packet& packet) {
  if (packet.protocol == wire::protocol::tcp) [[likely]] {
    return is(flow, established_tcp) && (packet.tcp_flags & deciding_flags) == wire::tcp_flag::ack;
  }
  return is(flow, usual_udp) && flow.control == no_flow;
}

// Puts the mirrored half of a flow into the packet, with one hop less. What that adds to the checksum of its transport
// comes back. IPv4's endpoints lie in a flow as on the wire but for the order of the ports' bytes, so each of both
// words turns round as a whole.
[[gnu::always_inline]] inline wire::Sum readdress(uint8_t* l3, const Endpoints<wire::Ipv4Address>& half) {
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

[[gnu::always_inline]] inline wire::Sum readdress(uint8_t* l3, const Endpoints<wire::Ipv6Address>& half) {
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

template <class A>
[[gnu::always_inline]] inline void Director::prepare_flow(const Frame& frame, Prepared& prepared) {
  const FlowTable<A>& table = flows<A>().table();
  prepared.hash = table.hash(key_of<A>(frame, prepared.packet));
  table.prefetch_bucket(prepared.hash);
}

[[gnu::always_inline]] inline void Director::prepare(const Frame& frame, Prepared& prepared) {
  const wire::Packet& packet = prepared.packet;
  wire::dissect({frame.data, frame.length}, prepared.packet);
  prepared.is_hashed = packet.has_ports && packet.malformed == wire::Malformed::ok;
  if (!prepared.is_hashed) [[unlikely]] return;
  if (packet.ip_version == 4) {
    prepare_flow<wire::Ipv4Address>(frame, prepared);
  } else {
    prepare_flow<wire::Ipv6Address>(frame, prepared);
  }
}

template <class A>
[[gnu::always_inline]] inline void Director::fetch_destination(const Prepared& prepared) {
  const FlowTable<A>& table = flows<A>().table();
  if (!table.is_probable(prepared.probable)) return;
  const uint32_t id = table.probable_flow(prepared.probable).destination;
  if (id == no_destination) return;
  const Destination& destination = services_.destination(id);
  __builtin_prefetch(&destination, 1);
  __builtin_prefetch(&destination.hop);
}

// True: the packet is done with. False: it is as it was.
template <class A, Direction direction>
[[gnu::always_inline]] inline bool Director::express(const Frame& frame, const wire::Packet& packet, Flow<A>& flow,
                                                     Time now, uint32_t cause, TransmitQueue& out,
                                                     Decision& decision) {
  constexpr bool is_request = direction == Direction::forward;
  constexpr Reason reason = is_request ? Reason::established : Reason::reply;
  uint8_t* const l3 = frame.data + wire::EthernetView::header_length;
  const Tick tick = tick_at(now);
  const bool is_tcp = packet.protocol == wire::protocol::tcp;

  if (!keeps_state(flow, packet) || is_due(flow.deadline, tick) || hop_limit<A>(l3) <= 1 || !is_for_this_host(frame)) {
    return false;
  }
  if constexpr (A::family == wire::Family::ipv4) {
    if (!wire::plain_ipv4_header_checksum_ok(l3)) return false;
  }
  Destination& destination = services_.destination(flow.destination);
  const NextHop& hop = is_request ? outlet_.hop_to(destination, now) : surroundings().way_to(flow.forward.source);
  if (!destination.available || packet.l3_length > hop.plain_mtu) return false;

  if (!is_request || (flow.flags & mode_bits(Forwarding::dr)) == 0) {
    constexpr size_t l4 = A::family == wire::Family::ipv4 ? wire::Ipv4View::minimum_header_length
                                                          : wire::Ipv6View::header_length;
    const Endpoints<A>& half = is_request ? flow.reverse : flow.forward;
    if (is_tcp) [[likely]] {
      const wire::Sum change = readdress(l3, half);
      uint8_t* const checksum = l3 + l4 + wire::TcpView::checksum_offset;
      wire::store_raw16(checksum, wire::updated_checksum(wire::load_raw16(checksum), change));
    } else {
      uint8_t* const checksum = l3 + l4 + wire::UdpView::checksum_offset;
      if (wire::load_raw16(checksum) == wire::no_udp_checksum) return false;
      const wire::Sum change = readdress(l3, half);
      wire::store_raw16(checksum, wire::updated_udp_checksum(wire::load_raw16(checksum), change));
    }
  } else {
    decrement_hop_limit<A>(l3);
  }
  Counters& counters = destination.counters;
  if (is_request) {
    counters.packets_in++;
    counters.bytes_in += packet.l3_length;
    flow.count_packet();
  } else {
    counters.packets_out++;
    counters.bytes_out += packet.l3_length;
  }
  flows<A>().table().touch(flow, tick + (is_tcp ? established_ticks_ : udp_ticks_));

  std::memcpy(frame.data, &hop.destination, 2 * wire::MacAddress::size);
  Frame leaving = frame;
  leaving.length = static_cast<uint32_t>(wire::EthernetView::header_length) + packet.l3_length;
  leaving.port = hop.port;
  out.push(leaving, cause);
  decision = {reason, flow.destination};
  counts_[static_cast<size_t>(reason)]++;
  return true;
}
static_assert(offsetof(NextHop, source) == offsetof(NextHop, destination) + wire::MacAddress::size,
              "as in the link header");

// `changes`: of the table, when the bucket was looked at.
template <class A>
[[gnu::always_inline]] inline bool Director::express(const Frame& frame, const Prepared& prepared, uint32_t changes,
                                                     Time now, uint32_t cause, TransmitQueue& out,
                                                     Decision& decision) {
  const wire::Packet& packet = prepared.packet;
  const FlowTable<A>& table = flows<A>().table();
  if (!packet.is_plain || frame.checksum != TransportChecksum::complete || frame.segmentation != Segmentation::none) {
    return false;
  }
  const FlowKey<A> key = key_of<A>(frame, packet);
  const FoundFlow<A> found = table.changes() == changes ? table.find(prepared.hash, key, prepared.probable)
                                                        : table.find(prepared.hash, key);
  if (!found) return false;
  return found.direction == Direction::forward
             ? express<A, Direction::forward>(frame, packet, *found.flow, now, cause, out, decision)
             : express<A, Direction::reverse>(frame, packet, *found.flow, now, cause, out, decision);
}

Decision Director::receive(Frame& frame, Time now, TransmitQueue& out, Trace* trace) {
  if (trace == nullptr) {
    Decision decision;
    receive_batch({&frame, 1}, {&decision, 1}, now, out);
    return decision;
  }
  outlet_.begin_batch();
  Prepared& prepared = prepared_[0];
  prepare(frame, prepared);
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
void Director::receive_some(std::span<Frame> frames, Decision* decisions, uint32_t first, Time now,
                            TransmitQueue& out) {
  const size_t count = frames.size();
  for (size_t i = 0; i < count; i++) prepare(frames[i], prepared_[i]);
  for (size_t i = 0; i < count; i++) {
    Prepared& prepared = prepared_[i];
    if (!prepared.is_hashed) continue;
    prepared.probable = prepared.packet.ip_version == 4 ? flows4_.table().prefetch_flow(prepared.hash)
                                                        : flows6_.table().prefetch_flow(prepared.hash);
  }
  const uint32_t changes4 = flows4_.table().changes(), changes6 = flows6_.table().changes();
  for (size_t i = 0; i < count; i++) {
    const Prepared& prepared = prepared_[i];
    if (!prepared.is_hashed) continue;
    if (prepared.packet.ip_version == 4) {
      fetch_destination<wire::Ipv4Address>(prepared);
    } else {
      fetch_destination<wire::Ipv6Address>(prepared);
    }
  }
  for (size_t i = 0; i < count; i++) {
    const Prepared& prepared = prepared_[i];
    const Frame& frame = frames[i];
    const uint32_t cause = first + static_cast<uint32_t>(i);
    if (prepared.is_hashed) [[likely]] {
      const bool done = prepared.packet.ip_version == 4
                            ? express<wire::Ipv4Address>(frame, prepared, changes4, now, cause, out, decisions[i])
                            : express<wire::Ipv6Address>(frame, prepared, changes6, now, cause, out, decisions[i]);
      if (done) continue;
    }
    out.set_cause(cause);
    decisions[i] = decide(frames[i], prepared, now, out, nullptr);
  }
}

}  // namespace sluice::lvs
