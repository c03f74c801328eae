// SPDX-License-Identifier: Apache-2.0
#include "director/services/scheduler.h"

#include <algorithm>
#include <array>

#include "director/services/schedulers/make.h"
#include "director/services/schedulers/reasons.h"

namespace sluice::director {
namespace {

// Picks nobody: flows and persistence templates that there are go on.
class None final : public Scheduler {
 public:
  Destination* pick(const ScheduleRequest&, Trace* trace) override {
    return schedulers::decide(trace, "none", nullptr);
  }
  void destinations_changed(const Destination*) override {}
};

struct Entry {
  std::string_view name;
  std::unique_ptr<Scheduler> (*make)(SchedulerContext);
};

// The kernel's schedulers in the order of its configuration menu, with "none" last, then Sluice's own.
constexpr std::array entries{
    Entry{"rr", schedulers::make_rr},
    Entry{"wrr", schedulers::make_wrr},
    Entry{"lc", schedulers::make_lc},
    Entry{"wlc", schedulers::make_wlc},
    Entry{"fo", schedulers::make_fo},
    Entry{"ovf", schedulers::make_ovf},
    Entry{"lblc", schedulers::make_lblc},
    Entry{"lblcr", schedulers::make_lblcr},
    Entry{"dh", schedulers::make_dh},
    Entry{"sh", schedulers::make_sh},
    Entry{"mh", schedulers::make_mh},
    Entry{"sed", schedulers::make_sed},
    Entry{"nq", schedulers::make_nq},
    Entry{"twos", schedulers::make_twos},
    Entry{"none", [](SchedulerContext) -> std::unique_ptr<Scheduler> { return std::make_unique<None>(); }},
    Entry{"random", schedulers::make_random},
    Entry{"ring", schedulers::make_ring},
    Entry{"rendezvous", schedulers::make_rendezvous},
};

constexpr auto names = [] {
  std::array<std::string_view, entries.size()> result;
  std::transform(entries.begin(), entries.end(), result.begin(), [](const Entry& entry) { return entry.name; });
  return result;
}();

}  // namespace

std::unique_ptr<Scheduler> make_scheduler(std::string_view name, SchedulerContext context) {
  const auto entry = std::find_if(entries.begin(), entries.end(), [&](const Entry& e) { return e.name == name; });
  return entry == entries.end() ? nullptr : entry->make(std::move(context));
}

std::span<const std::string_view> scheduler_names() {
  return names;
}

}  // namespace sluice::director
