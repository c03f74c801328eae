// SPDX-License-Identifier: Apache-2.0
// The director: frames in, verdicts and frames out.
//
// Theory of operation
//
// A frame is dissected once. Its five-tuple is looked up in the one table of flows, which knows both directions: a flow's
// forward half is what the client sends, its reverse half what the real server sends, and a packet that matches one half
// leaves with the other half mirrored (flow.h). What is known goes its way: forward.cc. What is not known may open a
// flow: schedule.cc finds the virtual service, honours persistence and thresholds, asks the scheduler. ICMP errors are
// matched by the packet that they quote: related_icmp.cc. Every error that the director sends is written before the
// packet is changed, so the sender finds its own packet quoted.
//
// The order of decisions is the kernel's (docs/oracle.md), so that the same packets have the same fate: a request's flow
// changes state even when the packet then dies of its TTL; a reply is checked as a router checks it (TTL, MTU) before
// its flow hears of it.
//
// One director belongs to one worker. Nothing here reads a clock, locks or does I/O; nothing is allocated for a packet of
// a known flow.
#pragma once

#include <memory>
#include <span>

#include "lvs/defence.h"
#include "lvs/flow_keeper.h"
#include "lvs/outlet.h"
#include "lvs/service_table.h"
#include "lvs/settings.h"
#include "lvs/surroundings.h"
#include "lvs/timeouts.h"
#include "lvs/transit.h"
#include "lvs/verdict.h"

namespace sluice::lvs {

class Director {
 public:
  explicit Director(const DirectorOptions& options);

  // --- packets ---

  // One frame. Its decision comes back; what is to be transmitted is appended to `out`. Frames in `out` are good until
  // the next call.
  Decision receive(Frame& frame, Time now, TransmitQueue& out, Trace* trace = nullptr);
  // Many at once: the lookups of a batch overlap each other's waits for memory.
  void receive_batch(std::span<Frame> frames, std::span<Decision> decisions, Time now, TransmitQueue& out);
  // Ends what is due at `now`, at most `budget` flows of each family; false when there is more to do.
  bool advance(Time now, uint32_t budget);

  // --- configuration, between batches ---

  void set_surroundings(std::shared_ptr<const Surroundings> surroundings);
  void set_switches(const Switches& switches) { switches_ = switches; }
  void set_timeouts(const Timeouts& timeouts) { timeouts_ = timeouts; }
  ServiceTable& services() { return services_; }
  const ServiceTable& services() const { return services_; }
  const Surroundings& surroundings() const { return outlet_.surroundings(); }

  // --- reports ---

  uint64_t count(Reason reason) const { return counts_[static_cast<size_t>(reason)]; }
  template <class A>
  FlowKeeper<A>& flows();

 private:
  // What the first look at a frame yields: enough to fetch its flow from memory while others are looked at.
  struct Prepared {
    wire::Packet packet;
    uint64_t hash = 0;
    bool is_hashed = false;
  };
  static constexpr size_t batch_size = 32;

  // director.cc
  void prepare(const Frame& frame, Prepared& prepared);
  void prefetch(const Prepared& prepared);
  Decision decide(Frame& frame, const Prepared& prepared, Time now, TransmitQueue& out, Trace* trace);
  template <class A>
  Decision decide_ip(Transit<A>& t, const Prepared& prepared);
  Decision arp(const Frame& frame, const wire::Packet& packet, TransmitQueue& out);
  bool is_for_this_host(const Frame& frame) const;

  // forward.cc: packets of known flows
  template <class A>
  Decision request(Transit<A>& t, Flow<A>& flow, Reason reason);
  template <class A>
  Decision reply(Transit<A>& t, Flow<A>& flow);
  template <class A>
  void advance_state(const Transit<A>& t, Flow<A>& flow, bool from_client);
  template <class A>
  Decision send_request(Transit<A>& t, const Flow<A>& flow, Destination& destination, Reason reason);
  template <class A>
  Decision send_by_tunnel(Transit<A>& t, Destination& destination, const NextHop& hop, Reason reason);
  template <class A>
  bool passes_as_router(Transit<A>& t, const NextHop& hop, uint32_t mtu, Reason& reason);
  template <class A>
  void tell_sender(Transit<A>& t, const IcmpError& error);
  template <class A>
  bool exceeds(const Transit<A>& t, uint32_t mtu) const;

  // schedule.cc: packets that may open a flow
  template <class A>
  Decision known_or_new(Transit<A>& t, FoundFlow<A> found);
  template <class A>
  bool starts_anew(const Transit<A>& t, const Flow<A>& flow, const Destination* destination) const;
  template <class A>
  Decision open_flow(Transit<A>& t);
  template <class A>
  Decision schedule(Transit<A>& t, Service& service);
  template <class A>
  Decision schedule_persistent(Transit<A>& t, Service& service);
  template <class A>
  Decision open_to(Transit<A>& t, Service& service, Destination& destination, uint16_t port, Flow<A>* control,
                   Reason reason);
  template <class A>
  Decision leave(Transit<A>& t, const Service& service);
  template <class A>
  bool may_open(const Transit<A>& t) const;

  // related_icmp.cc
  template <class A>
  Decision icmp(Transit<A>& t);
  template <class A>
  Decision related_error(Transit<A>& t);
  template <class A>
  Decision tunnel_error(Transit<A>& t, const Destination& destination, uint32_t skip);
  template <class A>
  Decision answer_echo(Transit<A>& t);

  Outlet outlet_;
  ServiceTable services_;
  FlowKeeper<wire::Ipv4Address> flows4_;
  FlowKeeper<wire::Ipv6Address> flows6_;
  Timeouts timeouts_;
  Switches switches_;
  Defence defence_;
  std::array<uint64_t, reason_count> counts_{};
};

template <>
inline FlowKeeper<wire::Ipv4Address>& Director::flows<wire::Ipv4Address>() {
  return flows4_;
}
template <>
inline FlowKeeper<wire::Ipv6Address>& Director::flows<wire::Ipv6Address>() {
  return flows6_;
}

}  // namespace sluice::lvs
