// SPDX-License-Identifier: Apache-2.0
// sed: the server with the shortest expected delay, (active + 1) / weight.
#include "lvs/schedulers/load.h"
#include "lvs/schedulers/make.h"

namespace sluice::lvs::schedulers {
namespace {

class ShortestExpectedDelay final : public Scheduler {
 public:
  explicit ShortestExpectedDelay(const Destinations& destinations) : destinations_(destinations) {}

  Destination* pick(const ScheduleRequest&, Trace* trace) override {
    return decide(trace, "sed", least_loaded(destinations_, delay_by_weight, trace));
  }
  void destinations_changed(const Destination*) override {}

 private:
  const Destinations& destinations_;
};

}  // namespace

std::unique_ptr<Scheduler> make_sed(SchedulerContext context) {
  return std::make_unique<ShortestExpectedDelay>(context.destinations);
}

}  // namespace sluice::lvs::schedulers
