// SPDX-License-Identifier: Apache-2.0
// wlc: the server with the least overhead for its weight.
#include "lvs/schedulers/load.h"
#include "lvs/schedulers/make.h"

namespace sluice::lvs::schedulers {
namespace {

class WeightedLeastConnection final : public Scheduler {
 public:
  explicit WeightedLeastConnection(const Destinations& destinations) : destinations_(destinations) {}

  Destination* pick(const ScheduleRequest&, Trace* trace) override {
    return decide(trace, "wlc", least_loaded(destinations_, overhead_by_weight, trace));
  }
  void destinations_changed(const Destination*) override {}

 private:
  const Destinations& destinations_;
};

}  // namespace

std::unique_ptr<Scheduler> make_wlc(SchedulerContext context) {
  return std::make_unique<WeightedLeastConnection>(context.destinations);
}

}  // namespace sluice::lvs::schedulers
