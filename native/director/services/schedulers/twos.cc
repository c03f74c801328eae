// SPDX-License-Identifier: Apache-2.0
// twos: the power of two random choices. Two servers are drawn by weight; the one with the lower load for its weight is
// taken, on a tie the one drawn first. Mitzenmacher, Richa, Sitaraman: The power of two random choices, 2001. Weights
// are summed again only if a server's weight or its overload flag has changed; a draw costs O(log n).
#include <algorithm>

#include "director/services/schedulers/draw.h"
#include "director/services/schedulers/load.h"
#include "director/services/schedulers/make.h"

namespace sluice::director::schedulers {
namespace {

class TwoChoices final : public Scheduler {
 public:
  explicit TwoChoices(SchedulerContext context)
      : destinations_(context.destinations), random_(std::move(context.random)) {
    destinations_changed(nullptr);
  }

  Destination* pick(const ScheduleRequest&, Trace* trace) override {
    if (is_stale_) sum_weights();
    const uint64_t total = sums_.empty() ? 0 : sums_.back();
    if (total == 0) return decide(trace, "twos", nullptr);
    // As in the kernel, 0 and the total itself can be drawn, which gives the first server one extra chance.
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
  void destinations_changed(const Destination*) override {
    sums_.resize(destinations_.size());
    is_stale_ = true;
  }
  void load_changed(const Destination& server) override {
    if (!is_stale_ && server.is_usable() != counts(server.place)) is_stale_ = true;
  }

 private:
  void sum_weights() {
    is_stale_ = false;
    uint64_t sum = 0;
    for (uint32_t place = 0; place < sums_.size(); place++) {
      Destination& d = *destinations_[place];
      d.place = place;
      if (d.is_usable()) sum += static_cast<uint64_t>(d.weight);
      sums_[place] = sum;
    }
  }
  bool counts(uint32_t place) const { return sums_[place] > (place > 0 ? sums_[place - 1] : 0); }

  // The first usable server at which the sum of weights reaches the draw.
  Destination* server_at(uint64_t draw) const {
    const auto at = std::lower_bound(sums_.begin(), sums_.end(), std::max<uint64_t>(draw, 1));
    return destinations_[static_cast<size_t>(at - sums_.begin())];
  }

  const Destinations& destinations_;
  RandomSource random_;
  bool is_stale_ = true;
  std::vector<uint64_t> sums_;  // of the usable servers' weights up to and including each place
};

}  // namespace

std::unique_ptr<Scheduler> make_twos(SchedulerContext context) {
  return std::make_unique<TwoChoices>(std::move(context));
}

}  // namespace sluice::director::schedulers
