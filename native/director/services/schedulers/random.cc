// SPDX-License-Identifier: Apache-2.0
// random: a server drawn by weight. Not one of the kernel's. Costs O(log n): it draws among all servers by their summed
// weights. Only if the drawn server is overloaded, it draws again among the other servers, by a walk.
#include <algorithm>

#include "director/services/schedulers/draw.h"
#include "director/services/schedulers/make.h"
#include "director/services/schedulers/reasons.h"

namespace sluice::director::schedulers {
namespace {

class WeightedRandom final : public Scheduler {
 public:
  explicit WeightedRandom(SchedulerContext context)
      : destinations_(context.destinations), random_(std::move(context.random)) {
    sum_weights();
  }

  Destination* pick(const ScheduleRequest&, Trace* trace) override {
    const uint64_t total = sums_.empty() ? 0 : sums_.back();
    if (total == 0) return decide(trace, "random", nullptr);
    const uint32_t draw = draw_below(random_, static_cast<uint32_t>(total));
    const auto at = std::upper_bound(sums_.begin(), sums_.end(), draw);
    Destination* drawn = destinations_[static_cast<size_t>(at - sums_.begin())];
    if (trace != nullptr) {
      trace->say("drew %u of a total weight of %u: %s", draw, static_cast<uint32_t>(total), name_of(*drawn).c_str());
    }
    if (drawn->is_usable()) return decide(trace, "random", drawn);
    if (trace != nullptr) trace->say("%s: %s", name_of(*drawn).c_str(), why_unusable(*drawn).c_str());
    return decide(trace, "random", draw_among_usable(trace));
  }

  void destinations_changed(const Destination*) override { sum_weights(); }

 private:
  void sum_weights() {
    sums_.clear();
    uint64_t sum = 0;
    for (const Destination* d : destinations_) {
      sum += static_cast<uint64_t>(std::max(d->weight, 0));
      sums_.push_back(sum);
    }
  }

  Destination* draw_among_usable(Trace* trace) {
    uint64_t total = 0;
    for (const Destination* d : destinations_) {
      if (d->is_usable()) total += static_cast<uint64_t>(d->weight);
    }
    if (total == 0) return nullptr;
    uint64_t draw = draw_below(random_, static_cast<uint32_t>(total));
    if (trace != nullptr) {
      trace->say("drew %u of the usable servers' weight of %u", static_cast<uint32_t>(draw),
                 static_cast<uint32_t>(total));
    }
    for (Destination* d : destinations_) {
      if (!d->is_usable()) continue;
      const uint64_t weight = static_cast<uint64_t>(d->weight);
      if (draw < weight) return d;
      draw -= weight;
    }
    return nullptr;
  }

  const Destinations& destinations_;
  RandomSource random_;
  std::vector<uint64_t> sums_;  // of the weights up to and including each server
};

}  // namespace

std::unique_ptr<Scheduler> make_random(SchedulerContext context) {
  return std::make_unique<WeightedRandom>(std::move(context));
}

}  // namespace sluice::director::schedulers
