// SPDX-License-Identifier: Apache-2.0
// lc: the server with the least overhead, whatever its weight.
#include "director/services/schedulers/load.h"
#include "director/services/schedulers/make.h"

namespace sluice::director::schedulers {
namespace {

Load overhead_alone(const Destination& d) {
  return d.is_usable() ? Load{overhead_of(d), 1} : infinite_load;
}

class LeastConnection final : public Scheduler {
 public:
  explicit LeastConnection(const Destinations& destinations) : least_(destinations, overhead_alone) {}

  Destination* pick(const ScheduleRequest&, Trace* trace) override { return decide(trace, "lc", least_.find(trace)); }
  void destinations_changed(const Destination*) override { least_.list_changed(); }
  void load_changed(const Destination& server) override { least_.load_changed(server); }

 private:
  LeastLoaded least_;
};

}  // namespace

std::unique_ptr<Scheduler> make_lc(SchedulerContext context) {
  return std::make_unique<LeastConnection>(context.destinations);
}

}  // namespace sluice::director::schedulers
