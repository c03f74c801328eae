// SPDX-License-Identifier: Apache-2.0
#include "director/stages/director.h"

#include "director/outgoing/ip_options.h"
#include "director/tracking/restore.h"
#include "wire/ethernet.h"

namespace sluice::director {

namespace {

FlowTableOptions table_options(const DirectorOptions& options, const core::MemorySource* flows) {
  FlowTableOptions table;
  table.limit = options.flow_limit;
  table.seed = options.seed;
  table.memory = options.memory.own;
  table.flows = flows;
  table.start = tick_at(options.start);
  table.huge_pages = options.huge_pages;
  return table;
}

// Every flow of both families may be a spliced one.
uint32_t spliced_limit(const DirectorOptions& options) {
  return static_cast<uint32_t>(std::min<uint64_t>(2 * uint64_t{options.flow_limit}, SplicedFlows::none - 1));
}

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
    : memory_(options.memory),
      transmitter_(options.limits_icmp, options.resolve),
      share_(options.share),
      services_(options.random, *memory_.own, memory_.destinations.get(), options.share),
      pools_(options.random, options.share.worker, options.share.workers, *memory_.own),
      spliced_(spliced_limit(options), memory_.spliced ? *memory_.spliced : *memory_.own, *memory_.own),
      flows4_(table_options(options, memory_.flows4.get()), services_, pools_, spliced_),
      flows6_(table_options(options, memory_.flows6.get()), services_, pools_, spliced_),
      defence_(options.random, options.start),
      states_(keepers(), services_, timeouts_, defence_),
      proxy_protocol_(transmitter_, keepers(), services_, spliced_),
      syn_proxy_(transmitter_, keepers(), services_, spliced_, states_, proxy_protocol_, options.random),
      timers_(keepers(), spliced_, syn_proxy_, proxy_protocol_),
      own_addresses_(services_, pools_, transmitter_),
      host_answers_(transmitter_, services_, pools_, own_addresses_, options.share, options.limits_icmp),
      neighbours_(transmitter_, services_, own_addresses_),
      local_node_(transmitter_, options.host_replies),
      forwarder_(transmitter_, services_, spliced_, states_, proxy_protocol_, own_addresses_, local_node_, switches_),
      related_errors_(transmitter_, services_, spliced_, states_, local_node_, forwarder_),
      egress_(transmitter_, keepers(), services_, pools_, own_addresses_, local_node_, forwarder_, switches_),
      admission_(transmitter_, keepers(), services_, marks_, own_addresses_, defence_, syn_proxy_, forwarder_,
                 related_errors_, egress_, switches_),
      icmp_(transmitter_, keepers(), services_, own_addresses_, neighbours_, related_errors_, egress_, admission_,
            switches_),
      dispatch_(keepers(), services_, syn_proxy_, forwarder_, egress_, admission_, icmp_, switches_),
      fragments_({options.fragment_limit, options.fragment_chunks, options.seed[0]}, transmitter_, keepers(), services_,
                 pools_, marks_, egress_, forwarder_, dispatch_),
      express_lane_(flows4_.table(), flows6_.table(), services_, transmitter_, switches_, counts_) {
  set_timeouts({});
}

void Director::set_route_table(std::shared_ptr<const RouteTable> route_table) {
  transmitter_.set_route_table(std::move(route_table));
}

EditResult Director::remove_destination(const ServiceKey& key, const wire::Address& address, uint16_t port) {
  const EditResult result = services_.remove_destination(key, address, port);
  if (switches_.expire_nodest_conn) begin_sweep();
  return result;
}

EditResult Director::remove_service(const ServiceKey& key) {
  const EditResult result = services_.remove_service(key);
  if (switches_.expire_nodest_conn) begin_sweep();
  return result;
}

void Director::begin_sweep() {
  flows4_.begin_sweep();
  flows6_.begin_sweep();
}

Restored Director::restore(const SavedFlows& saved_flows, Time now) {
  return restore_flows(saved_flows, keepers(), services_, pools_, spliced_, now);
}

bool Director::make_private() {
  return flows4_.table().make_private() && flows6_.table().make_private() && spliced_.make_private() &&
         services_.make_private();
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

void Director::set_flow_limit(uint32_t flows) {
  const uint32_t limit = share_.of(flows);
  flows4_.set_limit(limit);
  flows6_.set_limit(limit);
}

void Director::set_timeouts(const Timeouts& timeouts) {
  timeouts_ = timeouts;
  express_lane_.set_timeouts(timeouts);
}

Decision Director::receive(Frame& frame, Time now, TransmitQueue& out, Trace* trace) {
  if (trace == nullptr) {
    Decision decision;
    receive_batch({&frame, 1}, {&decision, 1}, now, out);
    return decision;
  }
  transmitter_.begin_batch();
  return decide(frame, express_lane_.look_up_for_decision(frame), now, out, trace);
}

void Director::receive_batch(std::span<Frame> frames, std::span<Decision> decisions, Time now, TransmitQueue& out) {
  transmitter_.begin_batch();
  for (uint32_t first = 0; first < frames.size(); first += ExpressLane::batch_size) {
    const std::span<Frame> some =
        frames.subspan(first, std::min<size_t>(ExpressLane::batch_size, frames.size() - first));
    const ExpressLane::Batch batch = express_lane_.look_up(some, &decisions[first], first, now, out);
    for (uint32_t at = 0; (at = express_lane_.forward(batch, at)) < some.size(); at++) {
      out.set_cause(first + at);
      decisions[first + at] = decide(some[at], express_lane_.whole(some[at], at), now, out, nullptr);
    }
  }
}

Decision Director::decide(Frame& frame, const LookedUp& found, Time now, TransmitQueue& out, Trace* trace) {
  const wire::Packet& packet = found.packet;
  Decision decision;
  if (packet.malformed != wire::Malformed::ok && frame.length >= wire::EthernetView::header_length &&
      !is_for_this_host(frame)) {
    // The other host handles what is wrong with its frames. A frame that a switch floods is also another host's.
    decision.reason = Reason::not_addressed_here;
  } else if (packet.malformed != wire::Malformed::ok) {
    if (trace) trace->say("malformed: %s", std::string(wire::name(packet.malformed)).c_str());
    decision.reason = reason_of(packet.malformed, packet);
  } else if (packet.ethertype == wire::ethertype::arp) {
    decision = neighbours_.arp(frame, packet, now, out);
  } else if (packet.ip_version == 0) {
    decision.reason = Reason::not_ip;
  } else if (packet.ip_version == 4) {
    Transit<wire::Ipv4Address> t{frame, packet, now,
                                 out,   trace,  endpoints_of<wire::Ipv4Address>(frame.data + packet.l3, packet)};
    decision = host_answers_.answer(t, decide_ip(t, found));
  } else {
    Transit<wire::Ipv6Address> t{frame, packet, now,
                                 out,   trace,  endpoints_of<wire::Ipv6Address>(frame.data + packet.l3, packet)};
    decision = host_answers_.answer(t, decide_ip(t, found));
  }
  counts_[static_cast<size_t>(decision.reason)]++;
  return decision;
}

template <class A>
Decision Director::decide_ip(Transit<A>& t, const LookedUp& found) {
  if (!is_for_this_host(t.frame)) {
    if constexpr (A::family == wire::Family::ipv6) {
      if (const auto answered = neighbours_.neighbour_message(t)) return *answered;
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
  if (found.kind.has_key && t.packet.fragment == wire::Fragment::none) {
    return dispatch_.known_or_new(t, flows<A>().find(found.hash, {t.endpoints, t.packet.protocol}, t.tick()));
  }
  if (t.packet.fragment != wire::Fragment::none) return fragments_.fragment(t);
  return dispatch_.decide_packet(t);
}

bool Director::advance(Time now, uint32_t budget, TransmitQueue& out) {
  const Tick tick = tick_at(now);
  transmitter_.begin_batch();
  out.set_cause(TransmitQueue::no_cause);
  const bool repeated = timers_.repeat_unanswered(now, budget, out);
  out.set_cause(0);
  const bool done4 = flows4_.advance(tick, budget);
  const bool done6 = flows6_.advance(tick, budget);
  if (defence_.is_time(now)) {
    const auto& table = flows4_.table();
    defence_.set_level(switches_, table.limit() - table.size());
    defence_.drop_entries(flows4_, timeouts_, tick);
    defence_.drop_entries(flows6_, timeouts_, tick);
  }
  const bool swept4 = flows4_.sweep(budget);
  const bool swept6 = flows6_.sweep(budget);
  return repeated && done4 && done6 && swept4 && swept6;
}

void Director::announce(TransmitQueue& out) {
  transmitter_.begin_batch();
  neighbours_.announce(out);
}

void Director::introduce(std::span<const wire::Address> addresses, TransmitQueue& out) {
  transmitter_.begin_batch();
  neighbours_.introduce(addresses, out);
}

}  // namespace sluice::director
