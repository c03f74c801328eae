// SPDX-License-Identifier: Apache-2.0
#include "engine/worker.h"

#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "port/port_wait.h"

namespace sluice::engine {

namespace {

// Frames that come one after another find the worker awake: waking it costs more than this on most machines.
constexpr Time stays_awake = 20'000;

// Flows end, neighbours are asked again and counts are published within this of their time.
constexpr int longest_sleep_milliseconds = 100;

// Asking a port what it has counted is also what repairs it (packet_ring.h).
constexpr Time ports_looked_after = second;

// Of flows that are due, a share for each round of batches: some tens of microseconds.
constexpr uint32_t ended_a_round = 256;

void pin(pthread_t thread, int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(cpu), &set);
  // A cpu that is not there is no reason not to forward.
  pthread_setaffinity_np(thread, sizeof set, &set);
}

}  // namespace

Worker::Worker(const WorkerOptions& options, std::vector<std::unique_ptr<port::Port>> ports, CounterBlock block)
    : name_(options.name),
      cpu_(options.cpu),
      clock_(options.clock),
      ports_(std::move(ports)),
      counters_(std::move(block)),
      director_(options.director),
      service_rows_(options.service_rows),
      alarm_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (options.recorder < 0) return;
  recorder_.emplace(options.recorder);
  if (!recorder_->is_open()) recorder_.reset();
}

Worker::~Worker() {
  stop();
  close(alarm_);
}

void Worker::start() {
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), name_.c_str());
  if (cpu_ >= 0) pin(thread_.native_handle(), cpu_);
}

void Worker::stop() {
  if (!thread_.joinable()) return;
  stopping_.store(true, std::memory_order_release);
  eventfd_write(alarm_, 1);
  thread_.join();
}

Worker::Visit::Visit(Worker& worker) : worker_(worker) {
  worker_.visitors_.fetch_add(1, std::memory_order_acq_rel);
  gate_ = std::unique_lock(worker_.gate_);
  worker_.out_.clear();
}

Worker::Visit::~Visit() {
  worker_.transmit();
  worker_.service_rows_.invalidate();
  gate_.unlock();
  worker_.visitors_.fetch_sub(1, std::memory_order_acq_rel);
  worker_.visitors_.notify_all();
  // Whatever the visitor has changed may be due at once.
  eventfd_write(worker_.alarm_, 1);
}

std::vector<port::PortStatistics> Worker::Visit::port_statistics() {
  std::vector<port::PortStatistics> all;
  for (const auto& port : worker_.ports_) all.push_back(port->statistics());
  return all;
}

port::PortStatistics Worker::Visit::replace_port(size_t number, std::unique_ptr<port::Port> port) {
  const port::PortStatistics counted = worker_.ports_[number]->statistics();
  worker_.ports_[number] = std::move(port);
  return counted;
}

void Worker::run() {
  std::unique_lock gate(gate_);
  awake_since_ = clock_();
  while (!stopping_.load(std::memory_order_acquire)) {
    if (visitors_.load(std::memory_order_acquire) != 0) [[unlikely]]
      admit_visitors(gate);
    now_ = clock_();
    counters_.beat(now_);
    if (retry_waiting_) [[unlikely]]
      retry_waiting_frames();
    bool is_busy = false;
    for (const auto& port : ports_) is_busy |= take_from(*port);
    if (is_busy) last_frame_ = now_;
    if (now_ - looked_after_ports_ >= ports_looked_after) [[unlikely]]
      look_after_ports();
    const bool is_done = end_what_is_due() & publish();
    if (!is_busy && is_done && now_ - last_frame_ > stays_awake) sleep(gate);
  }
  published_ = 0;
  publish();
}

void Worker::admit_visitors(std::unique_lock<std::mutex>& gate) {
  gate.unlock();
  while (const uint32_t visitors = visitors_.load(std::memory_order_acquire)) visitors_.wait(visitors);
  gate.lock();
}

bool Worker::take_from(port::Port& port) {
  const size_t count = port.receive(frames_);
  if (count == 0) return false;
  const std::span batch(frames_.data(), count);
  uint64_t bytes = 0;
  for (const director::Frame& frame : batch) bytes += frame.length;
  counters_.add(Counter::batches, 1);
  counters_.add(Counter::frames_received, count);
  counters_.add(Counter::bytes_received, bytes);
  if (recorder_) recorder_->note(batch, now_);
  decide(batch);
  return true;
}

void Worker::decide(std::span<director::Frame> frames) {
  out_.clear();
  ask_director(frames);
  uint64_t dropped = 0;
  for (size_t i = 0; i < frames.size(); i++) {
    if (decisions_[i].verdict() != director::Verdict::drop) [[likely]]
      continue;
    dropped++;
    // The director leaves a frame as it came when it does not know where to send it.
    if (decisions_[i].reason == director::Reason::no_neighbour) waiting_.keep(frames[i], now_);
  }
  if (dropped != 0) counters_.add(Counter::frames_dropped, dropped);
  transmit();
}

void Worker::ask_director(std::span<director::Frame> frames) {
  if (tap_ == nullptr) [[likely]]
    return director_.receive_batch(frames, decisions_, now_, out_);
  tap_->before(frames);
  director_.receive_batch(frames, decisions_, now_, out_);
  tap_->after(decisions_, out_.entries(), director_, now_);
}

// One by one: each may be kept again, in the place that it had.
void Worker::retry_waiting_frames() {
  retry_waiting_ = false;
  WaitingFrames still_waiting;
  waiting_.take_all(now_, [&](director::Frame& frame, Time since) {
    out_.clear();
    ask_director({&frame, 1});
    if (decisions_[0].reason == director::Reason::no_neighbour) still_waiting.keep(frame, since);
    transmit();
  });
  if (!still_waiting.is_empty()) waiting_ = std::move(still_waiting);
}

void Worker::transmit() {
  const auto entries = out_.entries();
  if (entries.empty()) return;
  static_assert(port::max_ports <= 64);
  uint64_t used = 0, bytes = 0;
  for (const auto& [frame, cause] : entries) {
    ports_[frame.port]->transmit(frame);
    used |= uint64_t{1} << frame.port;
    bytes += frame.length;
  }
  for (; used != 0; used &= used - 1) ports_[static_cast<size_t>(std::countr_zero(used))]->flush();
  counters_.add(Counter::frames_transmitted, entries.size());
  counters_.add(Counter::bytes_transmitted, bytes);
  out_.clear();
}

void Worker::look_after_ports() {
  looked_after_ports_ = now_;
  for (const auto& port : ports_) port->statistics();
}

bool Worker::end_what_is_due() {
  out_.clear();
  const bool is_done = director_.advance(now_, ended_a_round, out_);
  transmit();
  return is_done;
}

// A share of what readers of the statistics are to see; false when there is more.
bool Worker::publish() {
  if (now_ - published_ >= ServiceRows::interval) {
    published_ = now_;
    count_awake();
    for (size_t i = 0; i < director::reason_count; i++) {
      const uint64_t count = director_.count(static_cast<director::Reason>(i));
      const uint64_t more = count - std::exchange(published_counts_[i], count);
      if (more != 0) counters_.add(reason_counter(i), more);
    }
  }
  return service_rows_.advance(director_, now_);
}

void Worker::count_awake() {
  const Time now = clock_();
  counters_.add(Counter::awake_nanoseconds, now - awake_since_);
  awake_since_ = now;
}

void Worker::sleep(std::unique_lock<std::mutex>& gate) {
  port::FrameWait wait;
  if (!wait.prepare(std::span(ports_), alarm_)) return;
  count_awake();
  gate.unlock();
  const Time due = published_ + ServiceRows::interval;
  const Time left = due > awake_since_ ? (due - awake_since_) / 1'000'000 + 1 : 1;
  wait.wait(static_cast<int>(std::min<Time>(left, longest_sleep_milliseconds)));
  eventfd_t rung;
  if (wait.has_extra()) eventfd_read(alarm_, &rung);
  awake_since_ = clock_();
  gate.lock();
}

}  // namespace sluice::engine
