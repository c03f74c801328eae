// SPDX-License-Identifier: Apache-2.0
// lblc: locality-based least connection, for groups of caches. A destination address stays with its last server as long
// as that server is in the service, has a weight and is not overburdened. Otherwise, and at first, it gets the server
// that wlc would pick. A server at its upper threshold keeps its addresses, as in the kernel.
#include "director/services/schedulers/load.h"
#include "director/services/schedulers/locality.h"
#include "director/services/schedulers/make.h"

namespace sluice::director::schedulers {
namespace {

class LocalityLeastConnection final : public Scheduler {
 public:
  explicit LocalityLeastConnection(const Destinations& destinations) : seats_(destinations), relief_(destinations) {}

  Destination* pick(const ScheduleRequest& request, Trace* trace) override {
    const auto forget = [this](Seat seat) { seats_.release(seat); };
    table_.expire(request.now, forget);
    auto* entry = table_.find(request.virtual_address);
    if (entry != nullptr) {
      entry->last_use = request.now;
      Destination* d = seats_.at(entry->value);
      if (d != nullptr && d->weight > 0 && !relief_.is_due(*d)) {
        if (trace != nullptr) {
          trace->say("%s goes to %s since its last connection", wire::to_string(request.virtual_address).c_str(),
                     name_of(*d).c_str());
        }
        return decide(trace, "lblc", d);
      }
      if (trace != nullptr) say_why_not(*trace, d);
    }
    Destination* picked = relief_.find(trace);
    if (picked == nullptr) return decide(trace, "lblc", nullptr);
    if (entry != nullptr && !seats_.is_of(entry->value, picked)) {
      table_.erase(entry, forget);
      entry = nullptr;
    }
    if (entry == nullptr) {
      entry = table_.insert(request.virtual_address, request.now);
      if (entry != nullptr) entry->value = seats_.hold(picked);
    }
    return decide(trace, "lblc", picked);
  }

  void destinations_changed(const Destination* removed) override {
    seats_.changed(removed);
    relief_.list_changed();
  }
  void load_changed(const Destination& server) override { relief_.load_changed(server); }

 private:
  static void say_why_not(Trace& trace, const Destination* last) {
    if (last == nullptr) {
      trace.say("the server that it went to last has left");
    } else {
      trace.say("%s, to which it went last, has %u active connections and weight %d: one less loaded is looked for",
                name_of(*last).c_str(), last->active, last->weight);
    }
  }

  Seats seats_;
  Relief relief_;
  LocalityTable<Seat> table_;
};

}  // namespace

std::unique_ptr<Scheduler> make_lblc(SchedulerContext context) {
  return std::make_unique<LocalityLeastConnection>(context.destinations);
}

}  // namespace sluice::director::schedulers
