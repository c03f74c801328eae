// SPDX-License-Identifier: Apache-2.0
// nq: never queue. The first server in the list without an active connection; if there is none, as sed.
#include "director/services/schedulers/load.h"
#include "director/services/schedulers/make.h"

namespace sluice::director::schedulers {
namespace {

// An idle server has zero load, whatever its weight: the first idle server is less loaded than the rest.
Load delay_unless_idle(const Destination& d) {
  return d.is_usable() && d.active == 0 ? Load{0, 1} : delay_by_weight(d);
}

class NeverQueue final : public Scheduler {
 public:
  explicit NeverQueue(const Destinations& destinations)
      : destinations_(destinations), least_(destinations, delay_unless_idle) {}

  Destination* pick(const ScheduleRequest&, Trace* trace) override {
    Destination* picked = least_.find();
    if (trace != nullptr && picked != nullptr && picked->active == 0) {
      trace->say("%s is the first without an active connection", name_of(*picked).c_str());
    } else if (trace != nullptr) {
      picked = explain_least_loaded(destinations_, delay_by_weight, *trace);
    }
    return decide(trace, "nq", picked);
  }
  void destinations_changed(const Destination*) override { least_.list_changed(); }
  void load_changed(const Destination& server) override { least_.load_changed(server); }

 private:
  const Destinations& destinations_;
  LeastLoaded least_;
};

}  // namespace

std::unique_ptr<Scheduler> make_nq(SchedulerContext context) {
  return std::make_unique<NeverQueue>(context.destinations);
}

}  // namespace sluice::director::schedulers
