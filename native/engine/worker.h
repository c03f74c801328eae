// SPDX-License-Identifier: Apache-2.0
// A thread with its own ports and its own work.
//
// Theory of operation
//
//   ┌▶ each port: a batch in ─▶ work ─▶ frames to the ports that they name ─▶ flush
//   │  a bounded amount of the work that is due
//   │  a bounded amount of the counts for the statistics
//   │  one visitor, if one waits
//   └─ if nothing came for a while: sleep until a frame comes, a visitor was here, or something is due
//
// A visitor makes every change and every query: another thread that stops the worker between two rounds and uses the
// work as its own (gate.h). So a change applies to a whole batch or not at all, and handling a packet needs no lock.
// The price is that frames wait in the ports' rings during a visit. A visit must therefore be short: in half a
// millisecond a fast interface receives some hundred packets. Each worker counts its longest visit.
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
  std::string name;  // of the thread; at most fifteen bytes
  int cpu = -1;      // the CPU that the thread is pinned to; -1: none
  uint64_t (*clock)() = monotonic_nanoseconds;
};

class Worker {
 public:
  // `ports`: in the order of the numbers by which frames name them. `work` must outlive the worker. The block belongs
  // to this worker alone.
  Worker(const WorkerOptions& options, std::vector<std::unique_ptr<port::Port>> ports, Work& work, CounterBlock block);
  // Stops the thread first.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // False: the worker cannot be woken, because the process has too many open files. Nothing else may be asked of it.
  bool is_ready() const { return alarm_ >= 0; }
  // False: the worker runs, but not pinned to its CPU.
  bool start();
  // Returns when the thread has ended.
  void stop();

  // The worker stands still while this object exists. A thread may have one visit of a worker at a time.
  class Visit {
   public:
    explicit Visit(Worker& worker);
    // Sends the frames in out().
    ~Visit();
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;

    director::TransmitQueue& out() { return worker_.out_; }
    Time now() const { return worker_.clock_(); }
    std::vector<port::PortStatistics> port_statistics();
    // Returns the old port. The caller should close it after the visit: closing takes the kernel long.
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
