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

// If frames come close after each other, the worker stays awake: waking it up costs more than this on most machines.
constexpr Time stays_awake = 20'000;

// A worker stamps its beat at least this often.
constexpr int longest_sleep_milliseconds = 100;
constexpr Time awake_interval = 100'000'000;

// Reading a port's statistics also repairs the port (packet_ring.h).
constexpr Time ports_looked_after = second;

bool pin(pthread_t thread, int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(cpu), &set);
  return pthread_setaffinity_np(thread, sizeof set, &set) == 0;
}

}  // namespace

Worker::Worker(const WorkerOptions& options, std::vector<std::unique_ptr<port::Port>> ports, Work& work,
               CounterBlock block)
    : name_(options.name),
      cpu_(options.cpu),
      clock_(options.clock),
      ports_(std::move(ports)),
      work_(work),
      counters_(std::move(block)),
      alarm_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}

Worker::~Worker() {
  stop();
  if (is_ready()) close(alarm_);
}

bool Worker::start() {
  running_.store(true, std::memory_order_release);
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), name_.c_str());
  return cpu_ < 0 || pin(thread_.native_handle(), cpu_);
}

void Worker::stop() {
  if (!thread_.joinable()) return;
  stopping_.store(true, std::memory_order_release);
  eventfd_write(alarm_, 1);
  thread_.join();
  running_.store(false, std::memory_order_release);
}

Worker::Visit::Visit(Worker& worker) : worker_(worker) {
  worker_.gate_.begin_visit();
  begun_ = worker_.clock_();
  worker_.out_.clear();
}

Worker::Visit::~Visit() {
  worker_.transmit();
  if (worker_.running_.load(std::memory_order_acquire)) {
    worker_.counters_.raise(Counter::longest_visit_nanoseconds, worker_.clock_() - begun_);
  }
  worker_.gate_.end_visit();
  // What the visitor has changed may be due at once.
  eventfd_write(worker_.alarm_, 1);
}

std::vector<port::PortStatistics> Worker::Visit::port_statistics() {
  std::vector<port::PortStatistics> all;
  for (const auto& port : worker_.ports_) all.push_back(port->statistics());
  return all;
}

std::unique_ptr<port::Port> Worker::Visit::replace_port(size_t number, std::unique_ptr<port::Port> port) {
  return std::exchange(worker_.ports_[number], std::move(port));
}

void Worker::run() {
  gate_.enter();
  awake_since_ = awake_counted_ = clock_();
  while (!stopping_.load(std::memory_order_acquire)) {
    if (gate_.is_wanted()) [[unlikely]]
      gate_.admit();
    now_ = clock_();
    counters_.beat(now_);
    bool is_busy = false;
    for (const auto& port : ports_) is_busy |= take_from(*port);
    if (is_busy) last_frame_ = now_;
    if (now_ - looked_after_ports_ >= ports_looked_after) [[unlikely]]
      look_after_ports();
    if (now_ - awake_counted_ >= awake_interval) [[unlikely]]
      count_awake();
    const bool is_done = do_what_is_due() & work_.publish(now_, counters_);
    if (!is_busy && is_done && now_ - last_frame_ > stays_awake) sleep();
  }
  count_awake();
  work_.finish(counters_);
  gate_.leave();
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
  out_.clear();
  work_.receive(batch, turn());
  transmit();
  return true;
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

bool Worker::do_what_is_due() {
  out_.clear();
  const bool is_done = work_.advance(turn());
  transmit();
  return is_done;
}

void Worker::count_awake() {
  const Time now = clock_();
  counters_.add(Counter::awake_nanoseconds, now - awake_since_);
  awake_since_ = awake_counted_ = now;
}

void Worker::sleep() {
  port::FrameWait wait;
  if (!wait.prepare(std::span(ports_), alarm_)) return;
  count_awake();
  const Time due = work_.due();
  gate_.leave();
  const Time left = due > awake_since_ ? (due - awake_since_) / 1'000'000 + 1 : 1;
  wait.wait(static_cast<int>(std::min<Time>(left, longest_sleep_milliseconds)));
  eventfd_t rung;
  if (wait.has_extra()) eventfd_read(alarm_, &rung);
  awake_since_ = clock_();
  gate_.enter();
}

}  // namespace sluice::engine
