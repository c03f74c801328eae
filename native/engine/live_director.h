// SPDX-License-Identifier: Apache-2.0
// The live director: workers, the host's network that surrounds them, and what keeps the host's stack away.
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
// prepare() may refuse a plan, commit() cannot fail (decision 18). What is stolen follows from the configuration, which
// is kept here as plain values (configuration.h), so that no worker stands still for it. It is computed anew when the
// configuration or the host's addresses and interfaces have changed, and not when a neighbour has.
//
// An interface may be missing at first, go, and come back as another: its port is opened when it is there.
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
#include "engine/rehearsal.h"
#include "engine/worker_files.h"
#include "host/host_network.h"
#include "host/steal.h"
#include "host/tun_device.h"
#include "host/tunnel_egress.h"
#include "port/xdp_port.h"

namespace sluice::engine {

struct LiveDirectorOptions {
  std::vector<std::string> interfaces;  // by the numbers of their ports
  std::vector<uint16_t> vlans;          // by port, where any is tagged: the VLAN of what leaves, 0 for none
  std::vector<bool> xdp;                // by port: by way of AF_XDP where that is to be had; none: by packet rings
  std::vector<int> cpus;                // a worker each: the CPU to pin it to, or -1
  director::DirectorOptions director;   // limits are those of all workers together
  host::StealWay stealing = host::StealWay::automatic;
  int tun_device = -1;                // /dev/net/tun, opened by somebody who may; -1: the director opens it
  CrashState* crash_state = nullptr;  // where what is to outlive this process goes; it must outlive the director
  Words service_rows;  // an area of service_rows.h for each worker, which must outlive the director; or none
};

// How frames come and go.
enum class PortKind : uint8_t { packet, xdp_copy, xdp_zero_copy };

class LiveDirector {
 public:
  // Workers count into the page, which must outlive this.
  LiveDirector(LiveDirectorOptions options, StatisticsPage& page);
  ~LiveDirector();
  LiveDirector(const LiveDirector&) = delete;
  LiveDirector& operator=(const LiveDirector&) = delete;

  // Opens ports and attaches to the host; nothing is forwarded and nothing stolen yet.
  bool open(host::Failure& failure);

  // Why a plan was refused: of a step, which one.
  struct Refusal {
    std::optional<size_t> step;  // from 0
    std::string reason, remedy;
  };
  // Makes ready that the plan is carried out. False: it was refused, and nothing has changed. One plan at a time:
  // commit or abort it before the next.
  bool prepare(std::vector<PlanStep> steps, Refusal& refusal);
  // Every worker carries the prepared plan out. Does nothing without one.
  void commit();
  // The prepared plan is forgotten.
  void abort();

  // Carries on the flows that the process before has left. Between the first commit() and start().
  director::Restored restore();
  void start();
  // From now on the host's stack does not see what belongs to the directors as they are configured.
  bool steal(host::Failure& failure);
  // Ends the workers, lets the host have its packets back and closes the ports. What was kept for a next process is
  // withdrawn: without close() before it, the destructor is that of a process that ends by a mistake, and leaves it.
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
  // What would become of frames that came on ports, one after another. Nothing is known of whose a frame is where no
  // program of ours decides that (nftables).
  struct Explanation {
    uint16_t worker = 0;
    std::vector<std::optional<host::Steal::Judgement>> judgements;  // a frame each
    Rehearsal rehearsal;
  };
  bool explain(const std::vector<RehearsalFrame>& frames, Explanation& explanation, host::Failure& failure);
  // The port that leads to an address; nothing where none does.
  std::optional<director::PortId> port_towards(const wire::Address& address);
  // Lets a look at what passes. One at a time: false while another one lasts.
  bool open_taps(const TapFilter& filter);
  void close_taps();
  // By worker; none while nobody looks. The thread that opened them takes out what is there.
  const std::vector<std::shared_ptr<Tap>>& taps() const { return taps_; }
  host::StealWay stealing() const { return steal_->way(); }
  std::vector<std::string> notices();

 private:
  // A next hop whose link-layer address is wanted.
  struct Question {
    director::PortId port;
    wire::Address next_hop;
  };
  bool add_worker(uint16_t number, host::Failure& failure);
  std::unique_ptr<port::Port> open_port(director::PortId number, host::Failure& failure);
  std::unique_ptr<port::Port> open_ring(director::PortId number, host::Failure& failure);
  std::unique_ptr<port::XdpPort> open_xdp(director::PortId number, host::Failure& failure);
  void ask(director::PortId port, const wire::Address& next_hop);
  void end_forwarding();
  void follow();
  void answer_questions();
  void surround(const std::shared_ptr<const director::RouteTable>& route_table);
  void open_what_came();
  bool open_again(director::PortId number, uint32_t interface, host::Failure& failure);
  void close_replaced(director::PortId number, std::vector<std::unique_ptr<port::Port>> replaced);
  bool serve(const Configuration& configuration, host::Failure& failure);
  // live_director_local_node.cc
  bool serve_local_node(const Configuration& configuration, host::Failure& failure);
  bool open_host_device(host::Failure& failure);
  bool bring_replies_back(host::Failure& failure);
  void begin_to_expect(host::HostReplyPrograms& programs);
  uint32_t smallest_mtu() const;

  bool update_ingress(const Configuration& configuration, host::Failure& failure);
  void visit_placed_flows(const std::function<void(const host::PlacedFlow&)>& visit_flow);
  void carry_out_plan(DirectorWorker& worker, const std::vector<PlanStep>& steps);
  void note_ingress_failure(const host::Failure& failure);
  bool forget_removed();
  void look_for_ended_flows(Time now);
  bool keep_links(host::Failure& failure);

  const LiveDirectorOptions options_;
  StatisticsPage& page_;
  std::unique_ptr<host::HostNetwork> network_;                      // the follower's, once it runs
  std::vector<WorkerFiles> files_;                                  // by worker, with crash state
  std::vector<std::unique_ptr<ExpectedReplies>> expected_replies_;  // by worker
  std::vector<std::unique_ptr<DirectorWorker>> workers_;

  std::vector<std::shared_ptr<Tap>> taps_;  // the configuring thread's
  Time ended_flows_looked_for_ = 0;         // the follower's

  std::mutex host_;  // guards what follows
  std::unique_ptr<host::Steal> steal_;
  host::TunnelEgress tunnel_egress_;
  std::shared_ptr<host::TunDevice> host_device_;  // once a real server is this host
  std::vector<uint32_t> opened_;                  // by port: the interface's index on which it is open; 0: on none
  std::vector<bool> up_;                          // by port
  std::vector<PortKind> kinds_;                   // by port
  std::vector<port::PortStatistics> ended_;       // by port: counted on interfaces that have gone
  std::shared_ptr<const director::RouteTable> route_table_;  // what the workers have
  std::vector<wire::Address> host_addresses_;
  std::vector<wire::Address> addresses_by_route_;  // that what is stolen was last updated with
  Configuration configuration_;                    // what every worker has
  struct Staged {
    std::vector<PlanStep> steps;
    Configuration next;
  };
  std::optional<Staged> staged_;    // between prepare() and commit() or abort(); the configuring thread's
  bool is_ingress_behind_ = false;  // the last update of what is stolen has failed: to be tried again
  bool is_stealing_ = false;
  std::vector<std::string> notices_;

  std::mutex asking_;
  std::vector<Question> questions_;
  bool is_copy_ = false;  // this is a rehearsal's: nobody is asked anything
  std::atomic<bool> stopping_ = false;
  int alarm_;  // an eventfd: questions, or the end
  std::thread follower_;
};

}  // namespace sluice::engine
