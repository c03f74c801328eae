// SPDX-License-Identifier: Apache-2.0
// fo: fail over. The usable server with the highest weight gets all flows, the first one of equals.
#include "director/services/schedulers/load.h"
#include "director/services/schedulers/make.h"
#include "director/services/schedulers/reasons.h"

namespace sluice::director::schedulers {
namespace {

// A higher weight counts as a lower load.
Load inverse_weight(const Destination& d) {
  return d.is_usable() ? Load{1, static_cast<uint64_t>(d.weight)} : infinite_load;
}

class FailOver final : public Scheduler {
 public:
  explicit FailOver(const Destinations& destinations)
      : destinations_(destinations), highest_(destinations, inverse_weight) {}

  Destination* pick(const ScheduleRequest&, Trace* trace) override {
    return trace != nullptr ? explain(*trace) : highest_.find();
  }
  void destinations_changed(const Destination*) override { highest_.list_changed(); }
  void load_changed(const Destination& server) override { highest_.load_changed(server); }

 private:
  Destination* explain(Trace& trace) const {
    ServerLines lines(&trace);
    Destination* highest = nullptr;
    for (Destination* d : destinations_) {
      const bool higher = d->is_usable() && (highest == nullptr || d->weight > highest->weight);
      if (higher) highest = d;
      if (!d->is_usable()) {
        lines.pass_by(*d);
      } else if (Trace* line = lines.next()) {
        line->say("%s: weight %d%s", name_of(*d).c_str(), d->weight, higher ? ", highest so far" : "");
      }
    }
    return decide(&trace, "fo", highest, lines);
  }

  const Destinations& destinations_;
  LeastLoaded highest_;
};

}  // namespace

std::unique_ptr<Scheduler> make_fo(SchedulerContext context) {
  return std::make_unique<FailOver>(context.destinations);
}

}  // namespace sluice::director::schedulers
