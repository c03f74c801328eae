// SPDX-License-Identifier: Apache-2.0
// A thread with ports and a work of its own.
//
// Theory of operation
//
//   ┌▶ each port: a batch in ─▶ work ─▶ frames to the ports that they name ─▶ flush
//   │  what is due, a bounded amount of it
//   │  counts for those who read the statistics, a bounded amount of them
//   │  one visitor, if any waits
//   └─ nothing came for a while: sleep until a frame comes, a visitor has been here, or something is due
//
// Everything that is configured or asked is done by a visitor: another thread that has the worker stand still between
// two rounds and uses the work as its own (gate.h). So a change is there for a batch as a whole or not at all, the way
// of a packet has no lock, and the price of a change is that frames wait in the ports' rings while it is made. A visit
// must therefore be short: half a millisecond is some hundred packets of a fast interface. How long the longest visit
// was is counted, for each worker.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "engine/gate.h"
#include "engine/statistics.h"
#include "engine/work.h"
#include "port/port.h"

namespace sluice::engine {

struct WorkerOptions {
  std::string name;  // of the thread: at most fifteen bytes
  int cpu = -1;      // to which the thread is pinned; -1: to none
  uint64_t (*clock)() = monotonic_nanoseconds;
};

class Worker {
 public:
  // Ports by the number that frames name them by. `work` must outlive the worker. Counters are this worker's own.
  Worker(const WorkerOptions& options, std::vector<std::unique_ptr<port::Port>> ports, Work& work, CounterBlock block);
  // Stops first.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void start();
  // Returns when the thread has ended.
  void stop();

  // The worker stands still for as long as this exists. One thread may have one visit of a worker at a time.
  class Visit {
   public:
    explicit Visit(Worker& worker);
    // Sends what was left in out().
    ~Visit();
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;

    director::TransmitQueue& out() { return worker_.out_; }
    Time now() const { return worker_.clock_(); }
    std::vector<port::PortStatistics> port_statistics();
    // The port that was there is given back. Whoever closes it does so after the visit: that takes the kernel long.
    std::unique_ptr<port::Port> replace_port(size_t number, std::unique_ptr<port::Port> port);

   private:
    Worker& worker_;
    Time begun_;
  };

 private:
  static constexpr size_t batch_size = 64;

  void run();
  bool take_from(port::Port& port);
  void transmit();
  void look_after_ports();
  bool do_what_is_due();
  void count_awake();
  void sleep();
  Work::Turn turn() { return {now_, out_, counters_}; }

  const std::string name_;
  const int cpu_;
  uint64_t (*const clock_)();
  std::vector<std::unique_ptr<port::Port>> ports_;
  Work& work_;
  CounterBlock counters_;
  director::TransmitQueue out_;
  std::array<director::Frame, batch_size> frames_;
  Time now_ = 0, last_frame_ = 0, looked_after_ports_ = 0;
  Time awake_since_ = 0, awake_counted_ = 0;

  Gate gate_;
  std::atomic<bool> running_ = false, stopping_ = false;
  int alarm_;  // an eventfd that ends a sleep
  std::thread thread_;
};

}  // namespace sluice::engine
