// SPDX-License-Identifier: Apache-2.0
// The director: frames in, verdicts and frames out.
//
// Theory of operation
//
// A packet passes stages. Each stage is a class in its own header and is given exactly what it uses. Director owns the
// data of the stages (tables, route table, settings) and composes them. Director itself only decides whether a frame is
// for this host.
// whether a frame is for this host at all.
//
//   frame ─▶ ExpressLane ─▶ Director ─▶ Fragments ─▶ Dispatch ─▶ Egress          flows of the NAT gateway
//            established    dissected,  the first    the flow    SynHandshake    flows that the SYN proxy opened
//            flows          checked     of a         is looked   Forwarder       all other flows
//                 │            │        datagram     up          Admission       no flow: may one be opened?
//                 ▼            ▼                                 Icmp            errors, echo
//              forwarded    Neighbours: ARP, neighbour discovery
//
// A stage calls only stages below it, so there is no circle. From the bottom:
//
//   FlowStates      what a packet does to its flow: state, lifetime, counters        (tracking/flow_state.h)
//   ProxyProtocol   the header that tells a real server who the client is            (handshake/proxy_protocol.h)
//   SynHandshake    handshakes that the director makes itself                        (handshake/syn_proxy.h)
//   SplicedTimers   what those two send again                                        (handshake/spliced_timers.h)
//   OwnAddresses    which addresses are the director's, and which senders may get an answer
//   Neighbours      ARP and neighbour discovery for these addresses
//   LocalNode       packets for a real server that is this host
//   Forwarder       packets of known flows: to a real server, or on as a router      (forwarder.h)
//   RelatedErrors   ICMP errors about packets of known flows, translated
//   Egress          the NAT gateway, and packets that no service wants
//   Admission       packets that may open a flow: service, limits, persistence, scheduler
//   Icmp            ICMP messages: errors are matched by the packet that they quote; echo
//   Dispatch        hands a packet to the stage that its flow needs
//   Fragments       later fragments follow the first of their datagram
//   HostAnswers     answers unwanted packets as a host's stack would
//   ExpressLane     packets of established flows that change nothing but counters    (express.h)
//
// Two calls would go up; both return a value instead. SynHandshake reports that a client has proved itself, or that a
// packet begins a new connection on old ports, and its caller goes on to Admission. Admission hands an error that opens
// a flow (schedule_icmp) to RelatedErrors, which lies below it, not back to Icmp, which called it.
//
// A frame is dissected once. Its five-tuple is looked up in the one flow table, which knows both directions: a flow's
// forward half is what the client sends, its reverse half what the real server sends. A packet that matches one half
// leaves with the other half mirrored (flow.h). The director writes every error before it changes the packet, so the
// sender finds its own packet quoted.
//
// The order of decisions is the kernel's (docs/oracle.md), so that the same packets get the same verdicts: a request
// changes its flow's state even if its TTL then expires; a reply is checked as a router checks it (TTL, MTU) before it
// changes its flow.
//
// One director belongs to one worker. No code here reads a clock, locks or does I/O, and none allocates memory for a
// packet.
#pragma once

#include <memory>
#include <span>

#include "director/handshake/spliced_timers.h"
#include "director/handshake/syn_proxy.h"
#include "director/network/firewall_marks.h"
#include "director/network/route_table.h"
#include "director/outgoing/transit.h"
#include "director/outgoing/transmitter.h"
#include "director/services/service_table.h"
#include "director/stages/admission.h"
#include "director/stages/dispatch.h"
#include "director/stages/egress.h"
#include "director/stages/express.h"
#include "director/stages/forwarder.h"
#include "director/stages/fragments.h"
#include "director/stages/host_answers.h"
#include "director/stages/icmp.h"
#include "director/stages/local_node.h"
#include "director/stages/neighbours.h"
#include "director/stages/own_addresses.h"
#include "director/stages/related_errors.h"
#include "director/stages/settings.h"
#include "director/states/timeouts.h"
#include "director/tracking/defence.h"
#include "director/tracking/flow_keeper.h"
#include "director/tracking/flow_state.h"
#include "director/tracking/saved_flows.h"

namespace sluice::director {

class Director {
 public:
  explicit Director(const DirectorOptions& options);

  // --- packets ---

  // Decides about one frame. Appends the frames to transmit to `out`; they are valid until the next call.
  Decision receive(Frame& frame, Time now, TransmitQueue& out, Trace* trace = nullptr);
  // Many frames at once: the lookups of a batch wait for memory at the same time.
  void receive_batch(std::span<Frame> frames, std::span<Decision> decisions, Time now, TransmitQueue& out);
  // Announces the virtual addresses that no host owns, each on the port that leads to its network, or on all ports.
  void announce(TransmitQueue& out);
  // Announces those of the addresses that are virtual ones, and asks for other owners of them on their networks: a host
  // that answers is a conflict.
  void introduce(std::span<const wire::Address> addresses, TransmitQueue& out);
  // Ends flows that are due at `now`, at most `budget` of each family, and appends what timers send to `out`, valid
  // until the next call. False if more is due.
  bool advance(Time now, uint32_t budget, TransmitQueue& out);
  // The next time at which a timer will send something, if nothing happens before. Call advance() at that time.
  std::optional<Time> next_timer() const { return timers_.next_timer(); }

  // --- configuration, between batches ---

  void set_route_table(std::shared_ptr<const RouteTable> route_table);
  // The limit of all workers together, as in set_half_open_limit(). It cannot exceed the size with which the tables
  // were made.
  void set_flow_limit(uint32_t flows);
  void set_switches(const Switches& switches);
  // Above this number of half-open flows a service's SYN proxy comes into force by itself (SynProxy::automatic).
  void set_half_open_limit(uint32_t flows) { syn_proxy_.set_half_open_limit(share_.of(flows)); }
  // Sets counters to zero: those of one service, or all.
  void zero_counters(Service& service);
  void set_timeouts(const Timeouts& timeouts);
  const Timeouts& timeouts() const { return timeouts_; }
  void set_pool(uint32_t id, const PoolSettings& settings) { pools_.set(id, settings); }
  void set_egress(std::vector<EgressRule> rules) { egress_.set_rules(std::move(rules)); }
  // For frames that come without a mark.
  void set_marks(std::vector<MarkRule> rules) { marks_.set(std::move(rules)); }
  EditResult remove_destination(const ServiceKey& key, const wire::Address& address, uint16_t port);
  EditResult remove_service(const ServiceKey& key);
  ServiceTable& services() { return services_; }
  const ServiceTable& services() const { return services_; }
  const LocalPools& pools() const { return pools_; }
  const std::vector<EgressRule>& egress() const { return egress_.rules(); }
  const FirewallMarks& marks() const { return marks_; }
  const RouteTable& route_table() const { return transmitter_.route_table(); }

  // --- another process ---

  // Restores the flows of an ended process whose services and real servers are configured here. To be called once,
  // before the first frame.
  Restored restore(const SavedFlows& saved_flows, Time now);
  // For a copy of this process: its further changes stay its own. False if that is not possible.
  bool make_private();

  // --- reports ---

  uint64_t count(Reason reason) const { return counts_[static_cast<size_t>(reason)]; }
  template <class A>
  FlowKeeper<A>& flows();
  LocalPools& pools() { return pools_; }
  const SplicedFlows& spliced_flows() const { return spliced_; }
  const std::vector<AddressConflict>& conflicts() const { return neighbours_.conflicts(); }
  // Datagrams of which some fragments have come and others have not.
  uint32_t datagrams_in_pieces() const { return fragments_.datagrams_in_pieces(); }

 private:
  // director.cc: from a frame to the packet's decision
  Decision decide(Frame& frame, const LookedUp& found, Time now, TransmitQueue& out, Trace* trace);
  template <class A>
  Decision decide_ip(Transit<A>& t, const LookedUp& found);
  // Whether the frame has the port's own address. A frame that a switch floods is not this host's to route.
  bool is_for_this_host(const Frame& frame) const { return route_table().is_for(frame.port, frame.data); }

  void begin_sweep();
  FlowKeepers keepers() { return {flows4_, flows6_}; }

  // The data of the stages …
  const DirectorMemory memory_;
  Transmitter transmitter_;
  const core::Share share_;
  ServiceTable services_;
  LocalPools pools_;
  FirewallMarks marks_;
  SplicedFlows spliced_;
  FlowKeeper<wire::Ipv4Address> flows4_;
  FlowKeeper<wire::Ipv6Address> flows6_;
  Timeouts timeouts_;
  Switches switches_;
  // … and the stages, each after those that it uses.
  Defence defence_;
  FlowStates states_;
  ProxyProtocol proxy_protocol_;
  SynHandshake syn_proxy_;
  SplicedTimers timers_;
  OwnAddresses own_addresses_;
  HostAnswers host_answers_;
  Neighbours neighbours_;
  LocalNode local_node_;
  Forwarder forwarder_;
  RelatedErrors related_errors_;
  Egress egress_;
  Admission admission_;
  Icmp icmp_;
  Dispatch dispatch_;
  Fragments fragments_;
  ReasonCounts counts_{};
  ExpressLane express_lane_;
};

template <>
inline FlowKeeper<wire::Ipv4Address>& Director::flows<wire::Ipv4Address>() {
  return flows4_;
}
template <>
inline FlowKeeper<wire::Ipv6Address>& Director::flows<wire::Ipv6Address>() {
  return flows6_;
}
}  // namespace sluice::director
