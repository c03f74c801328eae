// SPDX-License-Identifier: Apache-2.0
// lc: the server with the least overhead, whatever its weight.
#include "lvs/schedulers/load.h"
#include "lvs/schedulers/make.h"

namespace sluice::lvs::schedulers {
namespace {

class LeastConnection final : public Scheduler {
 public:
  explicit LeastConnection(const Destinations& destinations) : destinations_(destinations) {}

  Destination* pick(const ScheduleRequest&, Trace* trace) override {
    const auto overhead = [](const Destination& d) { return Load{overhead_of(d), 1}; };
    return decide(trace, "lc", least_loaded(destinations_, overhead, trace));
  }
  void destinations_changed(const Destination*) override {}

 private:
  const Destinations& destinations_;
};

}  // namespace

std::unique_ptr<Scheduler> make_lc(SchedulerContext context) {
  return std::make_unique<LeastConnection>(context.destinations);
}

}  // namespace sluice::lvs::schedulers
