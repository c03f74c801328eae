// SPDX-License-Identifier: Apache-2.0
// rr: the servers in turn, in the order of the list. Of a weight only matters whether it is above zero. The turn
// continues after the last picked server, wherever additions have moved it; if that server is removed, after its
// predecessor.
#include <algorithm>

#include "director/services/schedulers/make.h"
#include "director/services/schedulers/reasons.h"

namespace sluice::director::schedulers {
namespace {

class RoundRobin final : public Scheduler {
 public:
  explicit RoundRobin(const Destinations& destinations) : destinations_(destinations) {}

  Destination* pick(const ScheduleRequest&, Trace* trace) override {
    ServerLines lines(trace);
    const size_t count = destinations_.size();
    if (trace != nullptr)
      trace->say("the last turn was %s", last_ != nullptr ? name_of(*last_).c_str() : "nobody's yet");
    for (size_t step = 0; step < count; step++) {
      if (++index_ >= count) index_ -= count;
      Destination* next = destinations_[index_];
      if (next->is_usable()) {
        last_ = next;
        return decide(trace, "rr", next, lines);
      }
      if (trace != nullptr) lines.pass_by(*next);
    }
    find_last();
    return decide(trace, "rr", nullptr, lines);
  }

  void destinations_changed(const Destination* removed) override {
    if (removed != nullptr && removed == last_) {
      last_ = index_ > 0 && index_ <= destinations_.size() ? destinations_[index_ - 1] : nullptr;
    }
    find_last();
  }

 private:
  static constexpr size_t before_first = static_cast<size_t>(-1);

  void find_last() {
    const auto at = std::find(destinations_.begin(), destinations_.end(), last_);
    index_ =
        last_ != nullptr && at != destinations_.end() ? static_cast<size_t>(at - destinations_.begin()) : before_first;
    if (index_ == before_first) last_ = nullptr;
  }

  const Destinations& destinations_;
  Destination* last_ = nullptr;
  size_t index_ = before_first;  // place of last_
};

}  // namespace

std::unique_ptr<Scheduler> make_rr(SchedulerContext context) {
  return std::make_unique<RoundRobin>(context.destinations);
}

}  // namespace sluice::director::schedulers
