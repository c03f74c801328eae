// SPDX-License-Identifier: Apache-2.0
// The director: frames in, verdicts and frames out.
//
// Theory of operation
//
// A frame is dissected once. Its five-tuple is looked up in the one table of flows, which knows both directions: a
// flow's forward half is what the client sends, its reverse half what the real server sends, and a packet that matches
// one half leaves with the other half mirrored (flow.h). What is known goes its way: forward.cc. What is not known may
// open a flow: schedule.cc finds the virtual service, honours persistence and thresholds, asks the scheduler. ICMP
// errors are matched by the packet that they quote: related_icmp.cc. Every error that the director sends is written
// before the packet is changed, so the sender finds its own packet quoted.
//
// The order of decisions is the kernel's (docs/oracle.md), so that the same packets have the same fate: a request's
// flow changes state even when the packet then dies of its TTL; a reply is checked as a router checks it (TTL, MTU)
// before its flow hears of it.
//
// One director belongs to one worker. Nothing here reads a clock, locks or does I/O; nothing is allocated for a packet
// of a known flow.
#pragma once

#include <memory>
#include <span>

#include "director/flows/fragment_table.h"
#include "director/handshake/syn_proxy.h"
#include "director/network/address_conflicts.h"
#include "director/network/firewall_marks.h"
#include "director/network/route_table.h"
#include "director/outgoing/transit.h"
#include "director/outgoing/transmitter.h"
#include "director/services/service_table.h"
#include "director/stages/defence.h"
#include "director/stages/flow_keeper.h"
#include "director/stages/host_answers.h"
#include "director/stages/saved_flows.h"
#include "director/stages/settings.h"
#include "director/stages/verdict.h"
#include "director/states/timeouts.h"

namespace sluice::director {

// Servers of this network that call out leave by the pool.
struct EgressRule {
  wire::Address network;
  uint8_t prefix_length = 0;
  uint32_t pool = no_pool;
};

// Whose packet it is: the side of a flow that opened it, or the other.
enum class Seen : uint8_t { from_client, from_server };

// From which address a sender is told of an error: the one that it wrote to, or this host's own on the way to it.
enum class Answerer : uint8_t { destination, this_host };

// A TCP segment that the director writes itself (own_segment.h).
template <class A>
struct OwnSegment;

class Director {
 public:
  explicit Director(const DirectorOptions& options);

  // --- packets ---

  // One frame. Its decision comes back; what is to be transmitted is appended to `out`. Frames in `out` are good until
  // the next call.
  Decision receive(Frame& frame, Time now, TransmitQueue& out, Trace* trace = nullptr);
  // Many at once: the lookups of a batch overlap each other's waits for memory.
  void receive_batch(std::span<Frame> frames, std::span<Decision> decisions, Time now, TransmitQueue& out);
  // Says on the network whose the virtual addresses are: those that no host owns, each on the port that leads to its
  // network, or on all.
  void announce(TransmitQueue& out);
  // Asks for their owners on the networks that hold them: who answers is a conflict.
  void ask_for_owners(TransmitQueue& out);
  // Ends what is due at `now`, at most `budget` flows of each family, and appends what timers send to `out`, good until
  // the next call as well; false when there is more to do.
  bool advance(Time now, uint32_t budget, TransmitQueue& out);
  // When a timer will send something next, if nothing happens before: who wants it sent on time calls advance() then.
  std::optional<Time> next_timer() const;

  // --- configuration, between batches ---

  void set_route_table(std::shared_ptr<const RouteTable> route_table);
  void set_flow_limit(uint32_t flows);
  void set_switches(const Switches& switches);
  // Half-open flows of a service beyond which its SYN proxy comes into force by itself (SynProxy::automatic).
  void set_half_open_limit(uint32_t flows) { half_open_limit_ = share_.of(flows); }
  // Counters start again from zero: those of one service, or all.
  void zero_counters(Service& service);
  void set_timeouts(const Timeouts& timeouts);
  void set_pool(uint32_t id, const PoolSettings& settings) { pools_.set(id, settings); }
  void set_egress(std::vector<EgressRule> rules) { egress_ = std::move(rules); }
  // Of frames that come without a mark.
  void set_marks(std::vector<MarkRule> rules) { marks_.set(std::move(rules)); }
  EditResult remove_destination(const ServiceKey& key, const wire::Address& address, uint16_t port);
  EditResult remove_service(const ServiceKey& key);
  ServiceTable& services() { return services_; }
  const ServiceTable& services() const { return services_; }
  const LocalPools& pools() const { return pools_; }
  const std::vector<EgressRule>& egress() const { return egress_; }
  const FirewallMarks& marks() const { return marks_; }
  const RouteTable& route_table() const { return transmitter_.route_table(); }

  // --- another process ---

  // The flows of a director that has gone, as far as its services and real servers are configured here. Once, before
  // the first frame.
  Restored restore(const SavedFlows& saved_flows, Time now);
  // For a copy of this process: what it does from now on stays its own. False when that cannot be had.
  bool leave_files() { return flows4_.table().leave_file() && flows6_.table().leave_file() && spliced_.leave_file(); }

  // --- reports ---

  uint64_t count(Reason reason) const { return counts_[static_cast<size_t>(reason)]; }
  template <class A>
  FlowKeeper<A>& flows();
  LocalPools& pools() { return pools_; }
  const SplicedFlows& spliced_flows() const { return spliced_; }
  const std::vector<AddressConflict>& conflicts() const { return conflicts_.all(); }
  // Of which some pieces have come and others not.
  uint32_t datagrams_in_pieces() const { return fragments4_.size() + fragments6_.size(); }

 private:
  // What the first look at a frame yields: enough to fetch its flow from memory while others are looked at.
  enum class Lane : uint8_t {
    plain4,
    plain6,
    other,
    flowless,  // no packet that may have a flow of its own
  };
  // Where the packet's flow is; each step has what the one before has fetched.
  struct Path {
    const void* bucket = nullptr;        // of the key's hash
    void* flow = nullptr;                // of the packet's family: what the bucket names
    Destination* destination = nullptr;  // of the flow, once it is known to be a plain frame's own
    Direction direction = Direction::forward;
  };
  struct Prepared {
    uint64_t hash = 0;   // of the flow's key; not in Lane::flowless
    Path plain4, other;  // in Lane::plain4 the one, in others the other; empty pointers tell the lanes apart at no cost
    uint32_t length = 0;  // of a plain frame, without padding …
    uint32_t ports = 0;   // … and its ports as Endpoints::ports() has them
    Lane lane = Lane::flowless;
    wire::Packet packet;  // not of plain frames, until decide() is to see them
    template <class A>
    Path& plain() {
      return A::family == wire::Family::ipv4 ? plain4 : other;
    }
  };
  // A batch's time, and until when flows live whose packets have come now.
  struct Moment {
    Time now;
    Tick tick, established_until, udp_until;
  };
  static constexpr size_t batch_size = 32;
  // How long a flow lives that has no state yet: until its first packet has one.
  static constexpr Time opening_time = 3 * second;

  // express.cc: batches, and the packets of which most consist
  template <class A>
  bool prepare_plain(const Frame& frame, Prepared& prepared);
  void prepare_other(const Frame& frame, Prepared& prepared);
  template <class A>
  void fetch_flow(uint64_t hash, Path& path);
  template <class A>
  void fetch_destination(const Frame& frame, Prepared& prepared);
  void fetch_other_flow(Prepared& prepared);
  void fetch_other_destination(const Frame& frame, Prepared& prepared);
  void receive_some(std::span<Frame> frames, Decision* decisions, uint32_t cause, Time now, TransmitQueue& out);
  template <class A, bool may_be_offloaded>
  bool express(const Frame& frame, Prepared& prepared, uint32_t changes, const Moment& moment, uint32_t cause,
               TransmitQueue& out, Decision& decision);
  template <class A>
  bool express_offloaded(const Frame& frame, Prepared& prepared, uint32_t changes, const Moment& moment, uint32_t cause,
                         TransmitQueue& out, Decision& decision);
  template <class A>
  void find_plain(const Frame& frame, Prepared& prepared);
  template <class A, Direction direction, bool is_tcp, bool may_be_offloaded>
  bool forward_plain(const Frame& frame, uint32_t frame_length, Flow<A>& flow, Destination& destination,
                     const Moment& moment, uint32_t cause, TransmitQueue& out, Decision& decision);
  bool express6(const Frame& frame, Prepared& prepared, uint32_t changes, const Moment& moment, uint32_t cause,
                TransmitQueue& out, Decision& decision);
  Decision decide_fully(Frame& frame, Prepared& prepared, uint32_t cause, Time now, TransmitQueue& out);

  // director.cc: from a frame to the packet's decision
  Decision decide(Frame& frame, const Prepared& prepared, Time now, TransmitQueue& out, Trace* trace);
  template <class A>
  Decision decide_ip(Transit<A>& t, const Prepared& prepared);
  template <class A>
  Decision decide_packet(Transit<A>& t);
  Decision arp(const Frame& frame, const wire::Packet& packet, Time now, TransmitQueue& out);
  std::optional<Decision> neighbour_message(const Transit<wire::Ipv6Address>& t);
  // The port's own address. What a switch floods to us for another host is not ours to route.
  bool is_for_this_host(const Frame& frame) const { return route_table().is_for(frame.port, frame.data); }
  bool owns(const wire::Address& address) const;
  bool is_claimed(const wire::Address& address, const Frame& frame, Time now);
  template <class A>
  bool is_martian(const A& source) const;

  // forward.cc: packets of known flows
  template <class A>
  Decision request(Transit<A>& t, Flow<A>& flow, Reason reason);
  template <class A>
  Reason send_request(Transit<A>& t, const Flow<A>& flow, Destination& destination, Reason reason);
  template <class A>
  Reason send_as_client(Transit<A>& t, const Flow<A>& flow, const NextHop& hop, Reason reason);
  template <class A>
  Reason send_by_tunnel(Transit<A>& t, const Destination& destination, const NextHop& hop, Reason reason);
  template <class A>
  Reason deliver(Transit<A>& t, const Flow<A>& flow);  // local_node.cc
  template <class A>
  Decision route(Transit<A>& t, Flow<A>& flow, const Endpoints<A>& to, Seen seen, Reason reason);
  template <class A>
  std::optional<Reason> obstacle(Transit<A>& t, const NextHop& hop);
  template <class A>
  void count_packet(const Transit<A>& t, const Flow<A>& flow, bool to_real_server);
  template <class A>
  void tell_sender(Transit<A>& t, const IcmpError& error, Answerer answerer);

  // flow_state.cc
  template <class A>
  void advance_state(const Transit<A>& t, Flow<A>& flow, Seen seen);
  Time timeout_of(uint8_t protocol, uint8_t state) const;

  // schedule.cc: packets that may open a flow
  template <class A>
  Decision known_or_new(Transit<A>& t, FoundFlow<A> found);
  template <class A>
  Decision replace_flow(Transit<A>& t, Flow<A>& old);
  template <class A>
  bool starts_anew(const Transit<A>& t, const Flow<A>& flow, const Destination& destination) const;
  template <class A>
  bool may_open(const Transit<A>& t) const;
  template <class A>
  void mark(const Transit<A>& t) const;
  template <class A>
  Decision open_flow(Transit<A>& t);
  template <class A>
  Decision admit(Transit<A>& t, Service& service, ProvenClient* proven);
  template <class A>
  bool admits_source(const Transit<A>& t, Service& service);
  template <class A>
  Destination* ask_scheduler(const Transit<A>& t, Service& service);
  template <class A>
  Decision schedule(Transit<A>& t, Service& service, ProvenClient* proven);
  template <class A>
  Decision schedule_persistent(Transit<A>& t, Service& service, ProvenClient* proven);
  template <class A>
  bool keeps_its_server(const Flow<A>& control) const;
  template <class A>
  Decision open_to(Transit<A>& t, Service& service, Destination& destination, uint16_t port, Flow<A>* control,
                   Reason reason, ProvenClient* proven);
  template <class A>
  Decision send_first(Transit<A>& t, Flow<A>& flow, Reason reason);
  template <class A>
  Decision leave(Transit<A>& t, const Service& service);

  // syn_proxy.cc: handshakes that the director makes itself
  template <class A>
  std::optional<Decision> answer_opening(Transit<A>& t, Service& service);
  template <class A>
  Decision send_cookie(Transit<A>& t, Service& service);
  template <class A>
  Decision open_by_cookie(Transit<A>& t, Service& service);
  template <class A>
  Decision greet_server(Transit<A>& t, Flow<A>& flow, ProvenClient& proven);
  template <class A>
  Reason send_syn(Transit<A>& t, Flow<A>& flow);
  template <class A>
  std::optional<Decision> spliced(Transit<A>& t, FoundFlow<A> found);
  template <class A>
  std::optional<Decision> from_spliced_client(Transit<A>& t, Flow<A>& flow);
  template <class A>
  std::optional<Decision> from_spliced_server(Transit<A>& t, Flow<A>& flow);
  template <class A>
  Decision server_greets(Transit<A>& t, Flow<A>& flow);
  template <class A>
  Decision join(Transit<A>& t, Flow<A>& flow, const SynOptions& server);
  template <class A>
  void acknowledge_both(Transit<A>& t, Flow<A>& flow, const SynOptions& server);
  template <class A>
  void refuse(Transit<A>& t, Flow<A>& flow);
  template <class A>
  void ask_again(Transit<A>& t, Flow<A>& flow);
  template <class A>
  void leave_greeting(const Flow<A>& flow, SplicedFlow::Phase phase);
  template <class A>
  void reset_sender(Transit<A>& t);
  template <class A>
  void act_as(const Transit<A>& t, Flow<A>& flow, Seen seen, uint8_t flags);
  uint32_t mtu_to_servers(Service& service, Time now);

  // own_segment.cc
  template <class A>
  std::optional<Reason> send_own(Transit<A>& t, const OwnSegment<A>& segment, const NextHop& hop,
                                 const Flow<A>* told = nullptr);

  // proxied_packets.cc: flows whose two ends count differently
  bool repeat_unanswered(Time now, uint32_t budget, TransmitQueue& out);
  template <class A>
  void repeat_to_server(SplicedFlow& spliced, Time now, TransmitQueue& out);
  template <class A>
  void splice(const Transit<A>& t, const Flow<A>& flow, Seen seen) const;
  template <class A>
  void unsplice_quotation(const Flow<A>& flow, wire::MutableBytes quoted, bool is_about_reply) const;

  // proxy_protocol.cc: the client's address told before its first byte
  enum class HeaderTurn : uint8_t { no, before_packet, after_packet };
  template <class A>
  HeaderTurn turn_of_header(const Transit<A>& t, const Flow<A>& flow);
  template <class A>
  void note_for_header(const Transit<A>& t, const Flow<A>& flow);
  template <class A>
  void send_header(Transit<A>& t, const Flow<A>& flow);
  template <class A>
  bool await_handshake(const Transit<A>& t, Flow<A>& flow);
  template <class A>
  bool hear_of_header(Transit<A>& t, Flow<A>& flow);
  template <class A>
  void announce_joined(Transit<A>& t, const Flow<A>& flow, const OwnSegment<A>& handshake);

  // egress.cc: the NAT gateway, and what nobody wants
  template <class A>
  const EgressRule* egress_rule(const A& source) const;
  template <class A>
  bool may_leave_to(const A& destination) const;
  template <class A>
  Decision without_service(Transit<A>& t);
  template <class A>
  Decision open_egress(Transit<A>& t, const EgressRule& rule);
  template <class A>
  Decision egress(Transit<A>& t, FoundFlow<A> found);
  template <class A>
  Reason take_local_port(Transit<A>& t, uint32_t pool_id, Flow<A>& flow);
  template <class A>
  std::optional<Reason> answer_real_server(Transit<A>& t);

  // fragments.cc
  template <class A>
  bool may_be_marked(const Transit<A>& t) const;
  template <class A>
  bool is_for_host_alone(const Transit<A>& t) const;
  template <class A>
  bool may_concern_flows(const Transit<A>& t) const;
  template <class A>
  void pass_on(Transit<A>& t);
  template <class A>
  Decision fragment(Transit<A>& t);
  template <class A>
  Decision first_fragment(Transit<A>& t, const FragmentKey<A>& key);
  template <class A>
  Decision follow(Transit<A>& t, uint64_t decision);

  // related_icmp.cc
  template <class A>
  Decision icmp(Transit<A>& t);
  template <class A>
  Decision answer_echo(Transit<A>& t);
  template <class A>
  Decision echo_through_gateway(Transit<A>& t, bool is_request);
  template <class A>
  Decision related_error(Transit<A>& t);
  template <class A>
  Decision open_for_error(Transit<A>& t, const Endpoints<A>& request, const wire::Packet& inner);
  template <class A>
  Decision carry_error(Transit<A>& t, Flow<A>& flow, const wire::Packet& inner, bool is_about_reply);
  template <class A>
  Decision translate_error(Transit<A>& t, Flow<A>& flow, const Endpoints<A>& outer, const Endpoints<A>& quotation,
                           const wire::Packet& inner, bool to_real_server);
  template <class A>
  Decision forward_related(Transit<A>& t, Flow<A>& flow);
  Decision tunnel_error(Transit<wire::Ipv4Address>& t, wire::MutableBytes quoted, const wire::Packet& outer);

  template <class A>
  FragmentTable<A>& fragments();
  template <class A>
  bool sweep(uint32_t& cursor, uint32_t budget);

  Transmitter transmitter_;
  const Share share_;
  ServiceTable services_;
  LocalPools pools_;
  std::vector<EgressRule> egress_;
  FirewallMarks marks_;
  SplicedFlows spliced_;
  FlowKeeper<wire::Ipv4Address> flows4_;
  FlowKeeper<wire::Ipv6Address> flows6_;
  FragmentTable<wire::Ipv4Address> fragments4_;
  FragmentTable<wire::Ipv6Address> fragments6_;
  Timeouts timeouts_;
  Tick established_ticks_ = 0, udp_ticks_ = 0;  // of timeouts_, for the express lane
  Switches switches_;
  Defence defence_;
  RandomSource random_;  // for the cookies' secrets
  CookieSecrets secrets_;
  AddressConflicts conflicts_;
  HostAnswers host_answers_;
  bool translates_for_host_;
  uint32_t half_open_limit_ = 4096;  // as the configuration's default
  // Where the search for flows of removed servers is; done when past the table.
  uint32_t sweep4_ = UINT32_MAX, sweep6_ = UINT32_MAX;
  std::array<uint64_t, reason_count> counts_{};
  std::array<Prepared, batch_size> prepared_;  // of the batch under way
};

template <>
inline FlowKeeper<wire::Ipv4Address>& Director::flows<wire::Ipv4Address>() {
  return flows4_;
}
template <>
inline FlowKeeper<wire::Ipv6Address>& Director::flows<wire::Ipv6Address>() {
  return flows6_;
}
template <>
inline FragmentTable<wire::Ipv4Address>& Director::fragments<wire::Ipv4Address>() {
  return fragments4_;
}
template <>
inline FragmentTable<wire::Ipv6Address>& Director::fragments<wire::Ipv6Address>() {
  return fragments6_;
}

}  // namespace sluice::director
