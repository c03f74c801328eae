// SPDX-License-Identifier: Apache-2.0
// sed: the server with the shortest expected delay, (active + 1) / weight.
#include "director/services/schedulers/load.h"
#include "director/services/schedulers/make.h"

namespace sluice::director::schedulers {
namespace {

class ShortestExpectedDelay final : public Scheduler {
 public:
  explicit ShortestExpectedDelay(const Destinations& destinations) : least_(destinations, delay_by_weight) {}

  Destination* pick(const ScheduleRequest&, Trace* trace) override { return decide(trace, "sed", least_.find(trace)); }
  void destinations_changed(const Destination*) override { least_.list_changed(); }
  void load_changed(const Destination& server) override { least_.load_changed(server); }

 private:
  LeastLoaded least_;
};

}  // namespace

std::unique_ptr<Scheduler> make_sed(SchedulerContext context) {
  return std::make_unique<ShortestExpectedDelay>(context.destinations);
}

}  // namespace sluice::director::schedulers
