// SPDX-License-Identifier: Apache-2.0
// fo: fail over. The server of the highest weight takes everything, the first of equals; the next one when it is gone.
#include "lvs/schedulers/make.h"
#include "lvs/schedulers/reasons.h"

namespace sluice::lvs::schedulers {
namespace {

class FailOver final : public Scheduler {
 public:
  explicit FailOver(const Destinations& destinations) : destinations_(destinations) {}

  Destination* pick(const ScheduleRequest&, Trace* trace) override {
    ServerLines lines(trace);
    Destination* highest = nullptr;
    for (Destination* d : destinations_) {
      const bool higher = d->is_usable() && (highest == nullptr || d->weight > highest->weight);
      if (higher) highest = d;
      if (trace == nullptr) continue;
      if (!d->is_usable()) {
        lines.pass_by(*d);
      } else if (Trace* line = lines.next()) {
        line->say("%s: weight %d%s", name_of(*d).c_str(), d->weight, higher ? ", highest so far" : "");
      }
    }
    return decide(trace, "fo", highest, lines);
  }
  void destinations_changed(const Destination*) override {}

 private:
  const Destinations& destinations_;
};

}  // namespace

std::unique_ptr<Scheduler> make_fo(SchedulerContext context) {
  return std::make_unique<FailOver>(context.destinations);
}

}  // namespace sluice::lvs::schedulers
