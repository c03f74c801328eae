// SPDX-License-Identifier: Apache-2.0
// twos: the power of two random choices. Two servers are drawn by weight, the one less loaded for its weight is taken,
// the first drawn on a tie. Mitzenmacher, Richa, Sitaraman: The power of two random choices, 2001.
#include "lvs/schedulers/draw.h"
#include "lvs/schedulers/load.h"
#include "lvs/schedulers/make.h"

namespace sluice::lvs::schedulers {
namespace {

class TwoChoices final : public Scheduler {
 public:
  explicit TwoChoices(SchedulerContext context)
      : destinations_(context.destinations), random_(std::move(context.random)) {}

  Destination* pick(const ScheduleRequest&, Trace* trace) override {
    uint64_t total = 0;
    for (const Destination* d : destinations_) {
      if (d->is_usable()) total += static_cast<uint64_t>(d->weight);
    }
    if (total == 0) return decide(trace, "twos", nullptr);
    // As the kernel draws: 0 and the total itself included, which gives the first server one chance more.
    const uint32_t bound = static_cast<uint32_t>(total + 1);
    const uint32_t first_draw = draw_below(random_, bound), second_draw = draw_below(random_, bound);
    Destination* first = server_at(first_draw);
    Destination* second = server_at(second_draw);
    if (trace != nullptr) trace->say("drew %u and %u of a total weight of %u", first_draw, second_draw, bound - 1);
    ServerLines lines(trace);
    const Load of_first = overhead_by_weight(*first), of_second = overhead_by_weight(*second);
    say_load(lines, *first, of_first, !(of_second < of_first));
    say_load(lines, *second, of_second, of_second < of_first);
    return decide(trace, "twos", of_second < of_first ? second : first, lines);
  }
  void destinations_changed(const Destination*) override {}

 private:
  // The first usable server with which the weights so far reach the draw.
  Destination* server_at(uint64_t draw) const {
    Destination* last = nullptr;
    uint64_t sum = 0;
    for (Destination* d : destinations_) {
      if (!d->is_usable()) continue;
      last = d;
      sum += static_cast<uint64_t>(d->weight);
      if (sum >= draw) break;
    }
    return last;
  }

  const Destinations& destinations_;
  RandomSource random_;
};

}  // namespace

std::unique_ptr<Scheduler> make_twos(SchedulerContext context) {
  return std::make_unique<TwoChoices>(std::move(context));
}

}  // namespace sluice::lvs::schedulers
