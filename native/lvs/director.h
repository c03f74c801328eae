// SPDX-License-Identifier: Apache-2.0
// The director: frames in, verdicts and frames out.
//
// Theory of operation
//
// A frame is dissected once. Its five-tuple is looked up in the one table of flows, which knows both directions: a flow's
// forward half is what the client sends, its reverse half what the real server sends, and a packet that matches one half
// leaves with the other half mirrored (flow.h). What is known goes its way: requests.cc. What is not known may open a
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
#include <vector>

#include "lvs/flow_table.h"
#include "lvs/icmp_limit.h"
#include "lvs/outgoing.h"
#include "lvs/service_table.h"
#include "lvs/settings.h"
#include "lvs/surroundings.h"
#include "lvs/timeouts.h"
#include "lvs/transit.h"
#include "lvs/verdict.h"

namespace sluice::lvs {

// The director's bits of Flow::flags. The forwarding mode has three of them.
namespace flow_flag {
inline constexpr uint16_t inactive = 0x0001;    // counts among its server's inactive flows
inline constexpr uint16_t no_output = 0x0002;   // no packet of the server has been seen
inline constexpr uint16_t one_packet = 0x0004;  // lives for one packet (ipvsadm -o)
inline constexpr unsigned mode_shift = 4;
inline constexpr uint16_t mode_mask = 0x0070;
}  // namespace flow_flag

template <class A>
Forwarding forwarding_of(const Flow<A>& flow) {
  return static_cast<Forwarding>((flow.flags & flow_flag::mode_mask) >> flow_flag::mode_shift);
}

// A template's state: whether a flow that it opened was ever established.
namespace template_state {
inline constexpr uint8_t none = 0, assured = 1;
}

class Director {
 public:
  explicit Director(const DirectorOptions& options);
  ~Director();

  // --- packets ---

  // One frame. Its decision comes back; what is to be transmitted is appended to `out`.
  Decision receive(Frame& frame, Time now, TransmitQueue& out, Trace* trace = nullptr);
  // Many at once: lookups of a batch overlap each other's waits for memory.
  void receive_batch(std::span<Frame> frames, std::span<Decision> decisions, Time now, TransmitQueue& out);
  // Ends what is due at `now`, at most `budget` flows; false when there is more to do.
  bool advance(Time now, uint32_t budget);

  // --- configuration, between batches ---

  void set_surroundings(std::shared_ptr<const Surroundings> surroundings) { surroundings_ = std::move(surroundings); }
  void set_switches(const Switches& switches);
  void set_timeouts(const Timeouts& timeouts) { timeouts_ = timeouts; }
  EditResult remove_destination(const ServiceKey& key, const wire::Address& address, uint16_t port);
  ServiceTable& services() { return services_; }
  const Switches& switches() const { return switches_; }

  // --- reports ---

  uint64_t count(Reason reason) const { return counts_[static_cast<size_t>(reason)]; }
  const Destination* destination_of(const Decision& decision) const;
  template <class A>
  FlowTable<A>& flows();
  const Surroundings& surroundings() const { return *surroundings_; }

 private:
  struct Prepared {
    wire::Packet packet;
    uint64_t hash = 0;
    bool is_flow_packet = false;  // may match a flow: its hash is set
  };

  static constexpr size_t batch_size = 32;

  // director.cc: from a frame to its flow
  void prepare(const Frame& frame, Prepared& prepared) const;
  Decision decide(Frame& frame, const Prepared& prepared, Time now, TransmitQueue& out, Trace* trace);
  template <class A>
  Decision decide_ip(Frame& frame, const Prepared& prepared, Time now, TransmitQueue& out, Trace* trace);
  Decision count_decision(Decision decision);

  // requests.cc: packets of known flows
  template <class A>
  Decision request(Transit<A>& t, Flow<A>& flow, Reason reason);
  template <class A>
  Decision reply(Transit<A>& t, Flow<A>& flow);
  template <class A>
  bool is_to_be_reopened(const Transit<A>& t, const Flow<A>& flow, const Destination& destination) const;
  template <class A>
  void advance_state(const Transit<A>& t, Flow<A>& flow, bool from_client);
  template <class A>
  Decision send_request(Transit<A>& t, Flow<A>& flow, Destination& destination, Reason reason);
  template <class A>
  Decision send_by_tunnel(Transit<A>& t, Destination& destination, Reason reason);

  // schedule.cc: packets that may open a flow
  template <class A>
  Decision open_flow(Transit<A>& t);
  template <class A>
  Decision schedule(Transit<A>& t, Service& service);
  template <class A>
  Decision schedule_persistent(Transit<A>& t, Service& service);
  template <class A>
  Flow<A>* find_template(const FlowKey<A>& key, Time now);
  template <class A>
  Decision bind_and_send(Transit<A>& t, Service& service, Destination& destination, uint16_t port, Flow<A>* control,
                         Reason reason);
  template <class A>
  Decision leave(Transit<A>& t, Service& service);
  template <class A>
  bool may_open(const Transit<A>& t) const;

  // lifetime.cc: flows and what they hold
  template <class A>
  void bind(Flow<A>& flow, Destination& destination);
  template <class A>
  void end_flow(Flow<A>& flow);
  template <class A>
  bool on_due(Flow<A>& flow, Tick now);
  template <class A>
  void expire_now(Flow<A>& flow, Tick now);
  template <class A>
  void drop_with_control(Flow<A>& flow);
  void run_defence(Time now);
  template <class A>
  void drop_random_entries();
  template <class A>
  bool is_to_be_dropped(const Flow<A>& flow, Tick now);

  // related_icmp.cc
  template <class A>
  Decision icmp(Transit<A>& t);
  template <class A>
  Decision related_error(Transit<A>& t);

  // neighbourhood.cc: answers for virtual addresses
  Decision arp(Frame& frame, const wire::Packet& packet, TransmitQueue& out);

  // transmit.cc
  template <class A>
  bool exceeds(const Transit<A>& t, uint32_t mtu) const;
  const NextHop& hop_to(Destination& destination);
  template <class A>
  const NextHop& hop_to(const A& address);
  template <class A>
  void send_error(Transit<A>& t, const IcmpError& error);
  void send(Frame& frame, const wire::Packet& packet, IpPacket ip, const NextHop& hop, TransmitQueue& out);
  uint8_t* take_buffer(uint32_t length);

  template <class A>
  static constexpr uint8_t icmp_protocol();

  std::shared_ptr<const Surroundings> surroundings_;
  ServiceTable services_;
  FlowTable<wire::Ipv4Address> flows4_;
  FlowTable<wire::Ipv6Address> flows6_;
  Timeouts timeouts_;
  Switches switches_;
  RandomSource random_;
  std::array<uint64_t, reason_count> counts_{};
};

}  // namespace sluice::lvs
