// SPDX-License-Identifier: Apache-2.0
// Decides who uses a worker's memory: its own thread, or one visitor.
//
//   worker thread    enter() ── rounds ── admit() ── rounds ── leave() ── sleep ── enter() …
//   visitor                              └ one visit ┘         └ visits, one after another ┘
//
// Between two rounds the thread checks whether a visitor waits; the check costs one load. The thread admits one
// visitor, then makes a round before it admits the next: however many visitors wait, the thread stands still for one
// visit at a time. While the thread sleeps, visitors come one after another.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace sluice::engine {

class Gate {
 public:
  // --- the worker's thread ---

  bool is_wanted() const { return waiting_.load(std::memory_order_acquire) != 0; }

  // Returns when no visitor is inside. From now on visitors wait for admit() or leave().
  void enter() {
    std::unique_lock lock(mutex_);
    admitted_ = 0;
    changed_.wait(lock, [this] { return !is_visited_; });
    is_worked_ = true;
  }
  // To be called when a visitor waits. Returns when one visitor has been inside and has left.
  void admit() {
    std::unique_lock lock(mutex_);
    is_worked_ = false;
    admitted_ = 1;
    changed_.notify_all();
    changed_.wait(lock, [this] { return admitted_ == 0 && !is_visited_; });
    is_worked_ = true;
  }
  void leave() {
    const std::lock_guard lock(mutex_);
    is_worked_ = false;
    admitted_ = any_number;
    changed_.notify_all();
  }

  // --- visitors ---

  // A thread may be inside only once.
  void begin_visit() {
    waiting_.fetch_add(1, std::memory_order_acq_rel);
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !is_visited_ && !is_worked_ && admitted_ > 0; });
    is_visited_ = true;
    if (admitted_ != any_number) admitted_--;
    waiting_.fetch_sub(1, std::memory_order_acq_rel);
  }
  void end_visit() {
    const std::lock_guard lock(mutex_);
    is_visited_ = false;
    changed_.notify_all();
  }

 private:
  static constexpr uint32_t any_number = UINT32_MAX;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_worked_ = false, is_visited_ = false;
  uint32_t admitted_ = any_number;  // number of visitors that may enter
  std::atomic<uint32_t> waiting_ = 0;
};

}  // namespace sluice::engine
