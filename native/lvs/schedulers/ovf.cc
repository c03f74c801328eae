// SPDX-License-Identifier: Apache-2.0
// ovf: overflow. As fo, but a server is full once its active connections exceed its weight, and the next one is used.
// UDP connections are never active, so with UDP nothing flows over.
#include "lvs/schedulers/make.h"
#include "lvs/schedulers/reasons.h"

namespace sluice::lvs::schedulers {
namespace {

class Overflow final : public Scheduler {
 public:
  explicit Overflow(const Destinations& destinations) : destinations_(destinations) {}

  Destination* pick(const ScheduleRequest&, Trace* trace) override {
    ServerLines lines(trace);
    Destination* highest = nullptr;
    for (Destination* d : destinations_) {
      const bool full = int64_t{d->active} > d->weight;
      const bool higher = !full && d->is_usable() && (highest == nullptr || d->weight > highest->weight);
      if (higher) highest = d;
      if (trace == nullptr) continue;
      if (!d->is_usable()) {
        lines.pass_by(*d);
      } else if (Trace* line = lines.next()) {
        line->say("%s: %u active, weight %d%s", name_of(*d).c_str(), d->active, d->weight,
                  full     ? ", full"
                  : higher ? ", highest so far"
                           : "");
      }
    }
    return decide(trace, "ovf", highest, lines);
  }
  void destinations_changed(const Destination*) override {}

 private:
  const Destinations& destinations_;
};

}  // namespace

std::unique_ptr<Scheduler> make_ovf(SchedulerContext context) {
  return std::make_unique<Overflow>(context.destinations);
}

}  // namespace sluice::lvs::schedulers
