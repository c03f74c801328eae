// SPDX-License-Identifier: Apache-2.0
// wrr: sweeps over the list. Each sweep picks the servers whose weight reaches the level of the sweep. Levels fall from
// the largest weight to 1 in steps of the greatest common divisor of all weights, then start again. So one round of
// sweeps picks every server as often as its weight says.
//
//   step    greatest common divisor of the weights
//   top     largest weight - (step - 1), so that levels are 1 modulo step and the last one is 1
//   level   of the current sweep
//
// A change of the servers restarts the sweep at the head of the list. The level stays, moved to a level of the new
// step; it becomes the new top if it is above that or if there was no level.
#include <algorithm>
#include <numeric>

#include "director/services/schedulers/make.h"
#include "director/services/schedulers/reasons.h"

namespace sluice::director::schedulers {
namespace {

class WeightedRoundRobin final : public Scheduler {
 public:
  explicit WeightedRoundRobin(const Destinations& destinations) : destinations_(destinations) {
    measure_weights();
    level_ = top_;
  }

  Destination* pick(const ScheduleRequest&, Trace* trace) override {
    if (trace != nullptr) {
      trace->say("level %d, falling from %d by %d; the sweep goes on behind server %zu of %zu", level_, top_, step_,
                 next_, destinations_.size());
    }
    if (top_ == 0) return decide(trace, "wrr", nullptr);
    Destination* picked = sweep();
    if (trace != nullptr && picked != nullptr) {
      trace->say("%s: weight %d reaches level %d", name_of(*picked).c_str(), picked->weight, level_);
    }
    return decide(trace, "wrr", picked);
  }

  void destinations_changed(const Destination*) override {
    measure_weights();
    next_ = 0;
    if (level_ > top_ || level_ == 0) {
      level_ = top_;
    } else if (step_ > 1) {
      level_ = level_ / step_ * step_ + 1;
    }
  }

 private:
  void measure_weights() {
    step_ = 0;
    int32_t greatest = 0;
    for (const Destination* d : destinations_) {
      if (d->weight <= 0) continue;
      step_ = std::gcd(step_, d->weight);
      greatest = std::max(greatest, d->weight);
    }
    if (step_ == 0) step_ = 1;
    top_ = greatest - (step_ - 1);
  }

  // The first server in [from, to) that takes part in the sweep.
  Destination* find(size_t from, size_t to) {
    for (size_t i = from; i < to; i++) {
      Destination* d = destinations_[i];
      if (d->weight >= level_ && !d->overloaded) {
        next_ = i + 1;
        return d;
      }
    }
    return nullptr;
  }

  // Ends when every server has been looked at on the lowest level. A sweep that begins in the middle of the list has
  // not looked at the servers before: a later sweep looks at them and stops there. As in the kernel, a search in vain
  // leaves its place and level behind: they decide which server is first when a server recovers.
  Destination* sweep() {
    const size_t count = destinations_.size();
    const size_t start = next_;
    bool lowest = false, began_again = false;
    for (size_t from = start;; from = 0) {
      const bool last_look = lowest && began_again && start != 0;
      if (Destination* found = find(from, last_look ? start : count)) return found;
      if (last_look) break;
      level_ -= step_;
      if (level_ <= 0) {
        level_ = top_;
        next_ = 0;
        if (lowest || start == 0) return nullptr;
        began_again = true;
      }
      skip_idle_levels();
      lowest = level_ <= step_;
    }
    next_ = start;
    return nullptr;
  }

  // Skips levels that no server reaches: with one overloaded server of weight 65535 among servers of weight 1, a packet
  // would have to wait for 65534 sweeps.
  void skip_idle_levels() {
    if (level_ <= step_) return;
    int32_t reached = 1;
    for (const Destination* d : destinations_) {
      if (!d->overloaded) reached = std::max(reached, d->weight);
    }
    if (level_ > reached) level_ -= (level_ - reached + step_ - 1) / step_ * step_;
  }

  const Destinations& destinations_;
  size_t next_ = 0;  // where the sweep continues
  int32_t level_ = 0, top_ = 0, step_ = 1;
};

}  // namespace

std::unique_ptr<Scheduler> make_wrr(SchedulerContext context) {
  return std::make_unique<WeightedRoundRobin>(context.destinations);
}

}  // namespace sluice::director::schedulers
