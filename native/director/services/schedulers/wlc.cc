// SPDX-License-Identifier: Apache-2.0
// wlc: the server with the least overhead for its weight.
#include "director/services/schedulers/load.h"
#include "director/services/schedulers/make.h"

namespace sluice::director::schedulers {
namespace {

class WeightedLeastConnection final : public Scheduler {
 public:
  explicit WeightedLeastConnection(const Destinations& destinations) : least_(destinations, overhead_by_weight) {}

  Destination* pick(const ScheduleRequest&, Trace* trace) override { return decide(trace, "wlc", least_.find(trace)); }
  void destinations_changed(const Destination*) override { least_.list_changed(); }
  void load_changed(const Destination& server) override { least_.load_changed(server); }

 private:
  LeastLoaded least_;
};

}  // namespace

std::unique_ptr<Scheduler> make_wlc(SchedulerContext context) {
  return std::make_unique<WeightedLeastConnection>(context.destinations);
}

}  // namespace sluice::director::schedulers
