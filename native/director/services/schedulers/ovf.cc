// SPDX-License-Identifier: Apache-2.0
// ovf: overflow. As fo, but a server is full once its active connections exceed its weight; then the next one is used.
// UDP connections are never active, so a server is never full with UDP.
#include "director/services/schedulers/load.h"
#include "director/services/schedulers/make.h"
#include "director/services/schedulers/reasons.h"

namespace sluice::director::schedulers {
namespace {

bool is_full(const Destination& d) {
  return int64_t{d.active} > d.weight;
}

// A higher weight counts as a lower load, except for full servers.
Load inverse_weight_unless_full(const Destination& d) {
  return d.is_usable() && !is_full(d) ? Load{1, static_cast<uint64_t>(d.weight)} : infinite_load;
}

class Overflow final : public Scheduler {
 public:
  explicit Overflow(const Destinations& destinations)
      : destinations_(destinations), highest_(destinations, inverse_weight_unless_full) {}

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
      const bool full = is_full(*d);
      const bool higher = !full && d->is_usable() && (highest == nullptr || d->weight > highest->weight);
      if (higher) highest = d;
      if (!d->is_usable()) {
        lines.pass_by(*d);
      } else if (Trace* line = lines.next()) {
        line->say("%s: %u active, weight %d%s", name_of(*d).c_str(), d->active, d->weight,
                  full     ? ", full"
                  : higher ? ", highest so far"
                           : "");
      }
    }
    return decide(&trace, "ovf", highest, lines);
  }

  const Destinations& destinations_;
  LeastLoaded highest_;
};

}  // namespace

std::unique_ptr<Scheduler> make_ovf(SchedulerContext context) {
  return std::make_unique<Overflow>(context.destinations);
}

}  // namespace sluice::director::schedulers
