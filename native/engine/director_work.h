// SPDX-License-Identifier: Apache-2.0
// The work of a director's worker: it lets the director decide about frames, records them for a crash and shows them to
// taps. It publishes services. Frames that wait for the answer of a next hop are kept and tried again.
//
// After the ports of the route table comes one more, by which frames leave for the host's own stack (host_port.h). It
// transmits nothing until replace_port() puts such a port in its place.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "director/stages/director.h"
#include "engine/flight_recorder.h"
#include "engine/service_rows.h"
#include "engine/tap.h"
#include "engine/waiting_frames.h"
#include "engine/work.h"
#include "engine/worker.h"

namespace sluice::engine {

struct DirectorWorkOptions {
  director::DirectorOptions director;
  Words service_rows;  // where services are published; empty: nowhere
  int recorder = -1;   // a memory file for a FlightRecorder
};

class DirectorWork final : public Work {
 public:
  explicit DirectorWork(const DirectorWorkOptions& options);

  void receive(std::span<director::Frame> batch, const Turn& turn) override;
  bool advance(const Turn& turn) override;
  bool publish(Time now, CounterBlock& counters) override;
  Time due() const override { return published_ + ServiceRows::interval; }
  void finish(CounterBlock& counters) override;

  // For visitors.
  director::Director& director() { return director_; }
  void services_change() { service_rows_.invalidate(); }
  void set_tap(std::shared_ptr<Tap> tap) { tap_ = std::move(tap); }
  void try_waiting_frames() { to_retry_ = waiting_.size(); }

 private:
  // The worker's batches are not larger.
  static constexpr size_t most_decisions = 64;

  void ask_director(std::span<director::Frame> frames, const Turn& turn);
  void retry_waiting_frame(const Turn& turn);
  void publish_counts(CounterBlock& counters);

  director::Director director_;
  ServiceRows service_rows_;
  std::optional<FlightRecorder> recorder_;
  std::shared_ptr<Tap> tap_;
  WaitingFrames waiting_;
  size_t to_retry_ = 0;  // number of waiting frames, the oldest first
  std::array<director::Decision, most_decisions> decisions_;
  Time published_ = 0;
  std::array<uint64_t, director::reason_count> published_counts_{};
};

// A worker with a DirectorWork, and visits that reach the director.
class DirectorWorker {
 public:
  DirectorWorker(const WorkerOptions& options, const DirectorWorkOptions& work,
                 std::vector<std::unique_ptr<port::Port>> ports, CounterBlock block)
      : work_(work), worker_(options, with_host_port(std::move(ports)), work_, std::move(block)) {}

  bool is_ready() const { return worker_.is_ready(); }
  bool start() { return worker_.start(); }
  void stop() { worker_.stop(); }

  class Visit : public Worker::Visit {
   public:
    explicit Visit(DirectorWorker& worker) : Worker::Visit(worker.worker_), work_(worker.work_) {}

    // For reading, and for changes that leave the services as they are.
    director::Director& director() { return work_.director(); }
    // For adding, editing or removing services or real servers.
    director::Director& change_services() {
      work_.services_change();
      return work_.director();
    }
    // From now on the tap sees every batch; nullptr: none does.
    void set_tap(std::shared_ptr<Tap> tap) { work_.set_tap(std::move(tap)); }
    // The routes or neighbours have changed: frames that wait are tried again.
    void try_waiting_frames() { work_.try_waiting_frames(); }

   private:
    DirectorWork& work_;
  };

 private:
  static std::vector<std::unique_ptr<port::Port>> with_host_port(std::vector<std::unique_ptr<port::Port>> ports);

  DirectorWork work_;
  Worker worker_;  // declared after work_, which it uses until it has stopped
};

}  // namespace sluice::engine
