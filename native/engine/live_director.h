// SPDX-License-Identifier: Apache-2.0
// The live director: workers, the state of the host's network, and the stealing of packets from the host's stack.
//
// Theory of operation
//
//   rtnetlink ─▶ follower ─▶ route table ─▶ every worker             follower: a thread of its own
//                   ▲    └─▶ the host's addresses ─▶ what is stolen
//   worker: a next hop without a link-layer address
//
//   plan ─▶ prepare() ─▶ commit() ─▶ every worker, between two batches       from the thread that configures
//              │            └─▶ what is stolen no more
//              └─▶ what is stolen besides
//
// prepare() may refuse a plan, commit() cannot fail (decision 18). What is stolen follows from the configuration. The
// configuration is kept here as plain values (configuration.h), so that reading it stops no worker. What is stolen is
// computed again when the configuration or the host's addresses and interfaces have changed, but not when a neighbour
// has.
//
// An interface may disappear and come back with another index: its port is opened when it exists. It may be missing at
// the start of a process that carries on after a crash. Otherwise a missing interface is a mistake.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "engine/configuration.h"
#include "engine/crash_state.h"
#include "engine/director_work.h"
#include "engine/expected_replies.h"
#include "engine/notices.h"
#include "engine/ownership.h"
#include "engine/rehearsal.h"
#include "engine/worker_files.h"
#include "host/host_network.h"
#include "host/steal.h"
#include "host/tun_device.h"
#include "host/tunnel_egress.h"
#include "port/packet_ring.h"
#include "port/xdp_port.h"

namespace sluice::engine {

struct LiveDirectorOptions {
  std::vector<std::string> interfaces;  // in the order of the ports
  std::vector<uint16_t> vlans;  // by port; empty if no port is tagged: the VLAN of transmitted frames, 0 for none
  std::vector<bool> xdp;        // by port: use AF_XDP if it is available; empty: packet rings
  std::vector<int> cpus;        // one worker each: the CPU to pin it to, or -1
  director::DirectorOptions director;  // its limits are those of all workers together
  host::StealWay stealing = host::StealWay::automatic;
  int tun_device = -1;                // /dev/net/tun, opened by the supervisor; -1: the director opens it
  CrashState* crash_state = nullptr;  // keeps what outlives this process; it must outlive the director
  Words service_rows;  // one area of service_rows.h for each worker, which must outlive the director; or empty
};

// How a port receives and transmits.
enum class PortKind : uint8_t { packet, xdp_copy, xdp_zero_copy };

class LiveDirector {
 public:
  // Workers count in the page. The page must outlive this object.
  LiveDirector(LiveDirectorOptions options, StatisticsPage& page);
  ~LiveDirector();
  LiveDirector(const LiveDirector&) = delete;
  LiveDirector& operator=(const LiveDirector&) = delete;

  // Opens ports and attaches to the host. Nothing is forwarded or stolen yet. After a failure: discard().
  bool open(host::Failure& failure);

  // Why a plan was refused, and which step of it, if it was a step.
  struct Refusal {
    std::optional<size_t> step;  // from 0
    std::string reason, remedy;
  };
  // Gets everything ready for the plan. False: the plan was refused, and nothing has changed. Every accepted plan must
  // be committed or aborted before the next one.
  bool prepare(std::vector<PlanStep> steps, Refusal& refusal);
  // Carries out the prepared plan on every worker. Does nothing without one.
  void commit();
  // Drops the prepared plan.
  void abort();
  // Announces the addresses of services that have come since the last call, and asks for other owners of them.
  void announce();

  // Restores the flows that the previous process has left. To be called between the first commit() and start().
  director::Restored restore();
  void start();
  // From now on the host's stack does not see what belongs to the directors as they are configured.
  bool steal(host::Failure& failure);
  // From now on the next process finds what this one has kept, and no longer what the previous one has left.
  bool take_over(host::Failure& failure);
  // Before take_over(): ends the workers and closes the ports. What the previous process has left stays as it is, for
  // another attempt.
  void discard();
  // Ends the workers, gives the host its packets back and closes the ports. Also withdraws what was kept for the next
  // process. Without close(), the destructor acts as in a process that ends by mistake: it leaves what was kept.
  void close();

  size_t port_count() const { return options_.interfaces.size(); }
  size_t workers() const { return workers_.size(); }
  DirectorWorker& worker(size_t number) { return *workers_[number]; }

  struct PortState {
    std::string interface;
    PortKind kind = PortKind::packet;
    bool is_up = false;
    director::Port port;
    port::PortStatistics statistics;  // of all workers
  };
  std::vector<PortState> ports();
  // What would happen to frames that arrive on ports, one after another. With nftables there are no judgements: no BPF
  // program decides who owns a frame.
  struct Explanation {
    uint16_t worker = 0;
    std::vector<std::optional<host::Steal::Judgement>> judgements;  // one per frame
    Rehearsal rehearsal;
  };
  bool explain(const std::vector<RehearsalFrame>& frames, Explanation& explanation, host::Failure& failure);
  // How packets reach an address now: all workers have the same route table.
  director::NextHop next_hop(const wire::Address& address);
  // Opens taps on all workers. Only one reader at a time: false while taps are open.
  bool open_taps(const TapFilter& filter);
  void close_taps();
  // By worker; empty while no taps are open. Only the thread that opened the taps takes frames out of them.
  const std::vector<std::shared_ptr<Tap>>& taps() const { return taps_; }
  host::StealWay stealing() const { return steal_->way(); }
  // What could not be done as configured at present, and why.
  std::vector<std::string> notices();

 private:
  using Ports = std::vector<std::unique_ptr<port::Port>>;
  // A next hop whose link-layer address is not known.
  struct Question {
    director::PortId port;
    wire::Address next_hop;
  };
  bool is_successor() const;
  bool add_worker(uint16_t number, Ports ports, host::Failure& failure);
  bool open_for_all(director::PortId number, uint32_t interface, Ports& ports, host::Failure& failure);
  std::unique_ptr<port::Port> open_port(director::PortId number, host::Failure& failure);
  std::unique_ptr<port::Port> open_ring(director::PortId number, host::Failure& failure);
  std::unique_ptr<port::XdpPort> open_xdp(director::PortId number, host::Failure& failure);
  void ask(director::PortId port, const wire::Address& next_hop);
  void end_forwarding();
  void follow();
  void answer_questions();
  void use_route_table(const std::shared_ptr<const director::RouteTable>& route_table);
  void follow_interfaces();
  void note_stuck(director::PortId port);
  void open_what_came();
  Time retry_due();
  bool open_again(director::PortId number, uint32_t interface, host::Failure& failure);
  bool attach_to(director::PortId number, uint32_t interface, host::Failure& failure);
  void close_replaced(director::PortId number, Ports replaced);
  // Of what belongs to the directors now: while a plan is prepared, two.
  std::vector<const Configuration*> in_force() const;
  NumberedRoutes routes() const { return {*route_table_, route_table_number_}; }
  bool serve(Configurations configurations, host::Failure& failure);
  // live_director_local_node.cc
  bool serve_local_node(Configurations configurations, host::Failure& failure);
  bool open_host_device(host::Failure& failure);
  bool bring_replies_back(host::Failure& failure);
  void begin_to_expect(host::HostReplyPrograms& programs);
  uint32_t smallest_mtu() const;

  bool update_ingress(Configurations configurations, host::Failure& failure);
  void visit_placed_flows(const std::function<void(const host::PlacedFlow&)>& visit_flow);
  void carry_out_plan(DirectorWorker& worker, const std::vector<PlanStep>& steps);
  void note_ingress_failure(const host::Failure& failure);
  bool forget_removed();
  void look_for_ended_flows(Time now);
  bool keep_links(host::Failure& failure);

  const LiveDirectorOptions options_;
  StatisticsPage& page_;
  std::unique_ptr<host::HostNetwork> network_;                      // used by the follower alone, once it runs
  std::vector<WorkerFiles> files_;                                  // by worker; empty without crash state
  std::vector<std::unique_ptr<ExpectedReplies>> expected_replies_;  // by worker
  std::vector<std::unique_ptr<DirectorWorker>> workers_;

  std::vector<std::shared_ptr<Tap>> taps_;  // used by the configuring thread
  Time ended_flows_looked_for_ = 0;         // used by the follower
  Time tried_ = 0;                          // used by the follower: when it last followed the interfaces

  std::mutex host_;  // guards the members below
  std::unique_ptr<host::Steal> steal_;
  host::TunnelEgress tunnel_egress_;
  std::shared_ptr<host::TunDevice> host_device_;  // set once a real server is this host
  std::vector<uint32_t> opened_;             // by port: the index of the interface on which it is open; 0: not open
  std::vector<uint32_t> attached_;           // by port: the index of the interface whose ingress is attached; 0: none
  std::vector<bool> up_;                     // by port
  std::vector<PortKind> kinds_;              // by port
  std::vector<port::Fanout> fanouts_;        // by port: what the rings of all workers share
  std::vector<port::PortStatistics> ended_;  // by port: counted on interfaces that no longer exist
  std::shared_ptr<const director::RouteTable> route_table_;  // the one that the workers use
  uint64_t route_table_number_ = 1;
  std::vector<wire::Address> host_addresses_;
  std::vector<wire::Address> addresses_by_route_;  // as of the last update of what is stolen
  Configuration configuration_;                    // what every worker has
  struct Staged {
    std::vector<PlanStep> steps;
    Configuration next;
  };
  std::vector<wire::Address> to_announce_;  // of services that have come; the configuring thread's
  std::optional<Staged> staged_;            // between prepare() and commit() or abort(); the configuring thread's
  bool is_ingress_behind_ = false;          // the last update of what is stolen has failed: to be tried again
  bool is_stealing_ = false;
  Notices notices_;

  std::mutex asking_;
  std::vector<Question> questions_;
  std::atomic<uint64_t> stuck_ports_ = 0;  // a bit per port: a ring of one of its workers is stuck
  bool is_copy_ = false;                   // this is the copy of a rehearsal: it asks nobody
  std::atomic<bool> stopping_ = false;
  int alarm_;  // an eventfd: questions, or the end
  std::thread follower_;
};

}  // namespace sluice::engine
