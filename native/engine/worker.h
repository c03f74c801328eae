// SPDX-License-Identifier: Apache-2.0
// A thread with a director and ports of its own.
//
// Theory of operation
//
//   ┌▶ each port: a batch in ─▶ director ─▶ frames to the ports that they name ─▶ flush
//   │  what is due, a bounded amount of it
//   │  visitors
//   │  every 100 ms: counts for those who read the statistics, a bounded amount of them between two batches
//   └─ nothing came for a while: sleep until a frame comes, a visitor wants something done, or the next look at the
//   clock
//
// Everything that is configured or asked is done by a visitor: another thread that has the worker stand still between
// two batches and uses the director as its own. The worker holds the gate while it works and leaves it open while it
// sleeps; between batches it looks whether somebody waits, which costs one load. So a change is there for a batch as a
// whole or not at all, the way of a packet has no lock, and the price of a change is that frames wait in the ports'
// rings while it is made.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "director/stages/director.h"
#include "engine/flight_recorder.h"
#include "engine/service_rows.h"
#include "engine/statistics.h"
#include "engine/tap.h"
#include "engine/waiting_frames.h"
#include "port/port.h"

namespace sluice::engine {

struct WorkerOptions {
  std::string name;  // of the thread: at most fifteen bytes
  int cpu = -1;      // to which the thread is pinned; -1: to none
  director::DirectorOptions director;
  Words service_rows;  // where it publishes its services; none: nowhere
  uint64_t (*clock)() = monotonic_nanoseconds;
  int recorder = -1;  // a memory file for a FlightRecorder
};

class Worker {
 public:
  // Ports by the number that routes and frames name them by. Counters are this worker's own.
  Worker(const WorkerOptions& options, std::vector<std::unique_ptr<port::Port>> ports, CounterBlock block);
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

    director::Director& director() { return worker_.director_; }
    director::TransmitQueue& out() { return worker_.out_; }
    Time now() const { return worker_.clock_(); }
    std::vector<port::PortStatistics> port_statistics();
    // What the port that was there has counted is given back.
    port::PortStatistics replace_port(size_t number, std::unique_ptr<port::Port> port);
    // Somebody looks at every batch from now on; nobody does with none.
    void set_tap(std::shared_ptr<Tap> tap) { worker_.tap_ = std::move(tap); }
    // The way of frames has changed: those that waited for it are tried again.
    void try_waiting_frames() { worker_.retry_waiting_ = true; }

   private:
    Worker& worker_;
    std::unique_lock<std::mutex> gate_;
  };

 private:
  static constexpr size_t batch_size = 64;

  void run();
  void admit_visitors(std::unique_lock<std::mutex>& gate);
  bool take_from(port::Port& port);
  void decide(std::span<director::Frame> frames);
  void ask_director(std::span<director::Frame> frames);
  void retry_waiting_frames();
  void transmit();
  void look_after_ports();
  bool end_what_is_due();
  bool publish();
  void count_awake();
  void sleep(std::unique_lock<std::mutex>& gate);

  const std::string name_;
  const int cpu_;
  uint64_t (*const clock_)();
  std::vector<std::unique_ptr<port::Port>> ports_;
  CounterBlock counters_;
  director::Director director_;
  ServiceRows service_rows_;
  Time published_ = 0, awake_since_ = 0;
  std::array<uint64_t, director::reason_count> published_counts_{};
  director::TransmitQueue out_;
  std::optional<FlightRecorder> recorder_;
  std::shared_ptr<Tap> tap_;
  WaitingFrames waiting_;
  bool retry_waiting_ = false;
  std::array<director::Frame, batch_size> frames_;
  std::array<director::Decision, batch_size> decisions_;
  Time now_ = 0, last_frame_ = 0, looked_after_ports_ = 0;

  std::mutex gate_;
  std::atomic<uint32_t> visitors_ = 0;
  std::atomic<bool> stopping_ = false;
  int alarm_;  // an eventfd that ends a sleep
  std::thread thread_;
};

}  // namespace sluice::engine
