// SPDX-License-Identifier: Apache-2.0
#include "director/stages/director.h"

#include "director/outgoing/ip_options.h"
#include "wire/arp.h"
#include "wire/ethernet.h"
#include "wire/icmp.h"
#include "wire/icmpv6.h"

namespace sluice::director {

namespace {

FlowTableOptions table_options(const DirectorOptions& options, int file) {
  FlowTableOptions table;
  table.limit = options.flow_limit;
  table.seed = options.seed;
  table.file = file;
  table.start = tick_at(options.start);
  table.huge_pages = options.huge_pages;
  return table;
}

// Every flow of both families may be one.
uint32_t spliced_limit(const DirectorOptions& options) {
  return static_cast<uint32_t>(std::min<uint64_t>(2 * uint64_t{options.flow_limit}, SplicedFlows::none - 1));
}

// How long fragments wait for each other: net.ipv4.ipfrag_time; RFC 8200 4.5.
constexpr Time ipv4_reassembly = 30 * second, ipv6_reassembly = 60 * second;

FragmentTableOptions fragment_options(const DirectorOptions& options, Time timeout) {
  FragmentTableOptions fragments;
  fragments.datagrams = options.fragment_limit;
  fragments.timeout = timeout;
  fragments.chunks = options.fragment_chunks;
  fragments.seed = options.seed[0];
  return fragments;
}

// RFC 4861 7.1.1: a greater one cannot be, and a router on the way would have made it less.
constexpr uint8_t neighbour_hop_limit = 255;
constexpr wire::MacAddress all_nodes_mac = {{0x33, 0x33, 0, 0, 0, 1}};  // of ff02::1 (RFC 2464 7)

// A held fragment that goes nowhere was decided when it came: held, and counted so.
void given_up(uint64_t, FragmentDrop) {}

wire::Bytes bytes_of(const Frame& frame) {
  return {frame.data, frame.length};
}

Reason reason_of(wire::Malformed malformed, const wire::Packet& packet) {
  switch (malformed) {
    case wire::Malformed::truncated:
    case wire::Malformed::length_lies:
      return packet.l4 > packet.l3 ? Reason::bad_transport_header : Reason::truncated;
    case wire::Malformed::tiny_fragment:
      return Reason::fragment_tiny;
    case wire::Malformed::bad_option:
      return Reason::bad_ip_options;
    case wire::Malformed::fragment_overflow:
      return Reason::fragment_overlap;
    default:
      return packet.l4 > packet.l3 ? Reason::bad_transport_header : Reason::bad_header;
  }
}

}  // namespace

Director::Director(const DirectorOptions& options)
    : transmitter_(options.limits_icmp, options.resolve),
      share_(options.share),
      services_(options.random, options.files.destinations, options.share),
      pools_(options.random, options.share.worker, options.share.workers),
      spliced_(spliced_limit(options), options.files.spliced),
      flows4_(table_options(options, options.files.flows4), services_, pools_, spliced_),
      flows6_(table_options(options, options.files.flows6), services_, pools_, spliced_),
      fragments4_(fragment_options(options, ipv4_reassembly), given_up),
      fragments6_(fragment_options(options, ipv6_reassembly), given_up),
      defence_(options.random, options.start),
      random_(options.random),
      host_answers_(transmitter_, services_, pools_, options.share, options.limits_icmp),
      translates_for_host_(options.translates_for_host) {
  set_timeouts({});
}

void Director::set_route_table(std::shared_ptr<const RouteTable> route_table) {
  transmitter_.set_route_table(std::move(route_table));
}

EditResult Director::remove_destination(const ServiceKey& key, const wire::Address& address, uint16_t port) {
  const EditResult result = services_.remove_destination(key, address, port);
  if (switches_.expire_nodest_conn) sweep4_ = sweep6_ = 0;
  return result;
}

EditResult Director::remove_service(const ServiceKey& key) {
  const EditResult result = services_.remove_service(key);
  if (switches_.expire_nodest_conn) sweep4_ = sweep6_ = 0;
  return result;
}

// Ends flows whose real server was removed (expire_nodest_conn), a part of the table at a time.
template <class A>
bool Director::sweep(uint32_t& cursor, uint32_t budget) {
  FlowKeeper<A>& keeper = flows<A>();
  if (cursor >= keeper.table().span()) return true;
  cursor = keeper.table().walk(cursor, budget, [&](Flow<A>& flow) {
    const bool holds_others = flow.is_template() && flow.control > 0;
    if (flow.destination == no_destination || holds_others) return;
    if (!services_.destination(flow.destination).available) keeper.end(flow, Template::goes);
  });
  return cursor >= keeper.table().span();
}

void Director::set_switches(const Switches& switches) {
  switches_ = switches;
  host_answers_.set_enabled(switches.host_answers);
  const auto& table = flows4_.table();
  defence_.set_level(switches_, table.limit() - table.size());
}

void Director::zero_counters(Service& service) {
  service.counted_apart = {};
  for (Destination* destination : service.destinations) destination->counters = {};
}

void Director::set_flow_limit(uint32_t limit) {
  flows4_.set_limit(limit);
  flows6_.set_limit(limit);
}

void Director::set_timeouts(const Timeouts& timeouts) {
  timeouts_ = timeouts;
  established_ticks_ = ticks(timeouts_.of(TcpState::established));
  udp_ticks_ = ticks(timeouts_.of(UdpState::normal));
}

// Whether the director alone has the address: a virtual one, or a local one of a pool that this host has not
// configured.
bool Director::owns(const wire::Address& address) const {
  return services_.is_virtual_address(address) ||
         (pools_.is_local_address(address) && !route_table().is_local(address));
}

// Of an address that a frame says its sender has: whether it is a virtual one, and the sender another host.
bool Director::is_claimed(const wire::Address& address, const Frame& frame, Time now) {
  if (!services_.is_virtual_address(address)) return false;
  const wire::MacAddress mac = wire::EthernetView(bytes_of(frame)).source();
  const auto& ports = route_table().ports();
  if (std::any_of(ports.begin(), ports.end(), [&](const Port& port) { return port.mac == mac; })) return false;
  conflicts_.note({address, mac, frame.port, now});
  return true;
}

Decision Director::decide(Frame& frame, const Prepared& prepared, Time now, TransmitQueue& out, Trace* trace) {
  const wire::Packet& packet = prepared.packet;
  Decision decision;
  if (packet.malformed != wire::Malformed::ok && frame.length >= wire::EthernetView::header_length &&
      !is_for_this_host(frame)) {
    // What is wrong with another host's frame is that host's to find; so is what a switch floods.
    decision.reason = Reason::not_addressed_here;
  } else if (packet.malformed != wire::Malformed::ok) {
    if (trace) trace->say("malformed: %s", std::string(wire::name(packet.malformed)).c_str());
    decision.reason = reason_of(packet.malformed, packet);
  } else if (packet.ethertype == wire::ethertype::arp) {
    decision = arp(frame, packet, now, out);
  } else if (packet.ip_version == 0) {
    decision.reason = Reason::not_ip;
  } else if (packet.ip_version == 4) {
    Transit<wire::Ipv4Address> t{frame, packet, now,
                                 out,   trace,  endpoints_of<wire::Ipv4Address>(frame.data + packet.l3, packet)};
    decision = host_answers_.answer(t, decide_ip(t, prepared));
  } else {
    Transit<wire::Ipv6Address> t{frame, packet, now,
                                 out,   trace,  endpoints_of<wire::Ipv6Address>(frame.data + packet.l3, packet)};
    decision = host_answers_.answer(t, decide_ip(t, prepared));
  }
  counts_[static_cast<size_t>(decision.reason)]++;
  return decision;
}

template <class A>
Decision Director::decide_ip(Transit<A>& t, const Prepared& prepared) {
  if (!is_for_this_host(t.frame)) {
    if constexpr (A::family == wire::Family::ipv6) {
      if (const auto answered = neighbour_message(t)) return *answered;
    }
    return {Reason::not_addressed_here};
  }
  if constexpr (A::family == wire::Family::ipv4) {
    if (!wire::ipv4_header_checksum_ok(bytes_of(t.frame), t.packet)) return {Reason::bad_ip_checksum};
    if (has_options(t)) [[unlikely]] {
      const OptionsVerdict options = check_options(wire::Ipv4View(t.ip()).options());
      if (options == OptionsVerdict::malformed) return {Reason::bad_ip_options};
      if (options == OptionsVerdict::source_route) return {Reason::source_route};
    }
  }
  if (prepared.lane != Lane::flowless && t.packet.fragment == wire::Fragment::none) {
    return known_or_new(t, flows<A>().find(prepared.hash, {t.endpoints, t.packet.protocol}, t.tick()));
  }
  if (t.packet.fragment != wire::Fragment::none) return fragment(t);
  return decide_packet(t);
}

// A packet whose flow has not been looked up yet: whole, or the first fragment of a datagram.
template <class A>
Decision Director::decide_packet(Transit<A>& t) {
  if (t.packet.protocol == (A::family == wire::Family::ipv4 ? wire::protocol::icmp : wire::protocol::icmpv6)) {
    return icmp(t);
  }
  if (!t.packet.has_ports) return {Reason::other_protocol};
  FlowKeeper<A>& keeper = flows<A>();
  const FlowKey<A> key{t.endpoints, t.packet.protocol};
  return known_or_new(t, keeper.find(keeper.table().hash(key), key, t.tick()));
}
template Decision Director::decide_packet(Transit<wire::Ipv4Address>&);
template Decision Director::decide_packet(Transit<wire::Ipv6Address>&);

// Somebody advertises an address as its own, or asks for the link-layer address of an address that the director owns:
// the first time by multicast, to see whether it is still there by unicast. Fragmented questions are nobody's (RFC
// 6980). Nothing: it is no such question.
std::optional<Decision> Director::neighbour_message(const Transit<wire::Ipv6Address>& t) {
  if (t.packet.protocol != wire::protocol::icmpv6 || t.packet.fragment != wire::Fragment::none) return std::nullopt;
  const auto view = wire::NeighbourView::parse(t.transport());
  if (!view) return std::nullopt;
  const bool is_from_link = wire::Ipv6View(t.ip()).hop_limit() == neighbour_hop_limit;
  if (view->is_advertisement()) {
    if (!is_from_link || !is_claimed(view->target(), t.frame, t.now)) return std::nullopt;
    return Decision{Reason::address_taken};
  }
  if (!owns(view->target())) return std::nullopt;
  if (!is_from_link) return Decision{Reason::martian_ttl};
  uint8_t* buffer = transmitter_.take_buffer(resolution_reply_room);
  if (buffer == nullptr) return std::nullopt;
  const wire::MacAddress& mac = route_table().ports()[t.frame.port].mac;
  const uint32_t length = write_neighbour_advertisement(t.ip(), t.packet.l4 - t.packet.l3, mac, buffer);
  if (length == 0) return std::nullopt;
  const wire::MacAddress asker = wire::EthernetView(bytes_of(t.frame)).source();
  const bool is_probe = t.endpoints.source == wire::Ipv6Address{};
  transmitter_.answer(t.frame, t.packet, buffer, length, wire::ethertype::ipv6, is_probe ? all_nodes_mac : asker,
                      t.out);
  return Decision{Reason::neighbour_answered};
}

bool Director::advance(Time now, uint32_t budget, TransmitQueue& out) {
  const Tick tick = tick_at(now);
  transmitter_.begin_batch();
  out.set_cause(TransmitQueue::no_cause);
  const bool repeated = repeat_unanswered(now, budget, out);
  out.set_cause(0);
  const bool done4 = flows4_.advance(tick, budget);
  const bool done6 = flows6_.advance(tick, budget);
  if (defence_.is_time(now)) {
    const auto& table = flows4_.table();
    defence_.set_level(switches_, table.limit() - table.size());
    defence_.drop_entries(flows4_, timeouts_, tick);
    defence_.drop_entries(flows6_, timeouts_, tick);
  }
  const bool swept4 = sweep<wire::Ipv4Address>(sweep4_, budget);
  const bool swept6 = sweep<wire::Ipv6Address>(sweep6_, budget);
  return repeated && done4 && done6 && swept4 && swept6;
}

void Director::announce(TransmitQueue& out) {
  transmitter_.begin_batch();
  services_.for_each_virtual_address([&](const wire::Address& address) {
    if (!route_table().is_local(address)) transmitter_.announce(address, out);
  });
}

void Director::ask_for_owners(TransmitQueue& out) {
  transmitter_.begin_batch();
  services_.for_each_virtual_address([&](const wire::Address& address) {
    if (!route_table().is_local(address)) transmitter_.ask_for_owner(address, out);
  });
}

Decision Director::arp(const Frame& frame, const wire::Packet& packet, Time now, TransmitQueue& out) {
  const wire::Bytes question = bytes_of(frame).subspan(packet.l3);
  const auto view = wire::ArpView::parse(question);
  if (!view) return {Reason::not_ip};
  if (is_claimed(view->sender(), frame, now)) return {Reason::address_taken};
  if (view->operation() != wire::arp_operation::request) return {Reason::not_ip};
  const wire::Address target = view->target();
  if (!owns(target)) return {Reason::not_ip};
  uint8_t* buffer = transmitter_.take_buffer(resolution_reply_room);
  if (buffer == nullptr) return {Reason::not_ip};
  const wire::MacAddress& mac = route_table().ports()[frame.port].mac;
  const uint32_t length = write_arp_reply(question, mac, buffer);
  if (length == 0) return {Reason::not_ip};
  transmitter_.answer(frame, packet, buffer, length, wire::ethertype::arp, view->sender_mac(), out);
  return {Reason::arp_answered};
}

}  // namespace sluice::director
