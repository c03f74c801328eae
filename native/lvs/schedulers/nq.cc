// SPDX-License-Identifier: Apache-2.0
// nq: never queue. The first server of the list without an active connection; if there is none, as sed.
#include "lvs/schedulers/load.h"
#include "lvs/schedulers/make.h"

namespace sluice::lvs::schedulers {
namespace {

class NeverQueue final : public Scheduler {
 public:
  explicit NeverQueue(const Destinations& destinations) : destinations_(destinations) {}

  Destination* pick(const ScheduleRequest&, Trace* trace) override {
    for (Destination* d : destinations_) {
      if (d->active != 0 || !d->is_usable()) continue;
      if (trace != nullptr) trace->say("%s is the first without an active connection", name_of(*d).c_str());
      return decide(trace, "nq", d);
    }
    return decide(trace, "nq", least_loaded(destinations_, delay_by_weight, trace));
  }
  void destinations_changed(const Destination*) override {}

 private:
  const Destinations& destinations_;
};

}  // namespace

std::unique_ptr<Scheduler> make_nq(SchedulerContext context) {
  return std::make_unique<NeverQueue>(context.destinations);
}

}  // namespace sluice::lvs::schedulers
