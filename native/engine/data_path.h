// SPDX-License-Identifier: Apache-2.0
// The live data path: workers, the host's network that surrounds them, and what keeps the host's stack away.
//
// Theory of operation
//
//   rtnetlink ─▶ follower ─▶ surroundings ─▶ every worker             follower: a thread of its own
//                   ▲    └─▶ the host's addresses ─▶ what is stolen
//   worker: a next hop without a link-layer address
//
//   configuration ─▶ every worker, between two batches ─▶ what is stolen      from the thread that configures
//
// What is stolen follows from what the first worker's director holds, so there is one truth. A service is configured
// before it is stolen: until then its packets are the host's, as they were.
//
// An interface may be missing at first, go, and come back as another: its port is opened when it is there.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine/worker.h"
#include "host/host_network.h"
#include "host/steal.h"

namespace sluice::engine {

struct DataPathOptions {
  std::vector<std::string> interfaces;  // by the numbers of their ports
  std::vector<uint16_t> vlans;          // by port, where any is tagged: the VLAN of what leaves, 0 for none
  std::vector<int> cpus;                // a worker each: the CPU to pin it to, or -1
  lvs::DirectorOptions director;        // limits are those of all workers together
  host::StealWay stealing = host::StealWay::automatic;
};

class DataPath {
 public:
  // Workers count into the page, which must outlive this.
  DataPath(DataPathOptions options, StatisticsPage& page);
  ~DataPath();
  DataPath(const DataPath&) = delete;
  DataPath& operator=(const DataPath&) = delete;

  // Opens ports and attaches to the host; nothing is forwarded and nothing stolen yet.
  bool open(host::Failure& failure);
  void start();
  // From now on the host's stack does not see what belongs to the directors as they are configured.
  bool steal(host::Failure& failure);
  // Ends the workers, lets the host have its packets back and closes the ports.
  void close();

  size_t workers() const { return workers_.size(); }
  Worker& worker(size_t number) { return *workers_[number]; }

  struct PortState {
    std::string interface;
    bool is_up = false;
    lvs::Port port;
    port::PortStatistics statistics;  // of all workers
  };
  std::vector<PortState> ports();
  host::StealWay stealing() const { return steal_->way(); }
  std::vector<std::string> notices();

 private:
  // A next hop whose link-layer address is wanted.
  struct Question {
    lvs::PortId port;
    wire::Address next_hop;
  };
  bool add_worker(uint16_t number, host::Failure& failure);
  std::unique_ptr<port::Port> open_port(lvs::PortId number, host::Failure& failure);
  void ask(lvs::PortId port, const wire::Address& next_hop);
  void follow();
  void answer_questions();
  void surround(const std::shared_ptr<const lvs::Surroundings>& surroundings);
  void open_what_came();
  bool open_again(lvs::PortId number, uint32_t interface, host::Failure& failure);
  bool steal_as_configured(host::Failure& failure);

  const DataPathOptions options_;
  StatisticsPage& page_;
  std::unique_ptr<host::HostNetwork> network_;  // the follower's, once it runs
  std::vector<std::unique_ptr<Worker>> workers_;

  std::mutex host_;  // guards what follows
  std::unique_ptr<host::Steal> steal_;
  std::vector<uint32_t> opened_;             // by port: the interface's index on which it is open; 0: on none
  std::vector<bool> up_;                     // by port
  std::vector<port::PortStatistics> ended_;  // by port: counted on interfaces that have gone
  std::vector<wire::Address> host_addresses_;
  bool is_stealing_ = false;
  std::vector<std::string> notices_;

  std::mutex asking_;
  std::vector<Question> questions_;
  std::atomic<bool> stopping_ = false;
  int alarm_;  // an eventfd: questions, or the end
  std::thread follower_;
};

}  // namespace sluice::engine
