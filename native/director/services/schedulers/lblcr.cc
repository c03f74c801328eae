// SPDX-License-Identifier: Apache-2.0
// lblcr: lblc with replication. A destination address has a set of servers; the least loaded of them is picked. If that
// one is overburdened (or the set is empty), the server that wlc would pick joins the set. A set of several servers
// that has not changed for a day loses its most loaded server.
#include "director/services/schedulers/load.h"
#include "director/services/schedulers/locality.h"
#include "director/services/schedulers/make.h"

namespace sluice::director::schedulers {
namespace {

struct ServerSet {
  std::vector<Seat> seats;  // the newest first
  Time changed = 0;
};

class LocalityReplication final : public Scheduler {
 public:
  explicit LocalityReplication(const Destinations& destinations) : seats_(destinations), relief_(destinations) {}

  Destination* pick(const ScheduleRequest& request, Trace* trace) override {
    table_.expire(request.now, [this](const ServerSet& set) {
      for (Seat seat : set.seats) seats_.release(seat);
    });
    auto* entry = table_.find(request.virtual_address);
    if (entry != nullptr) {
      entry->last_use = request.now;
      ServerSet& set = entry->value;
      if (trace != nullptr) {
        trace->say("%s has a set of %zu servers", wire::to_string(request.virtual_address).c_str(), set.seats.size());
      }
      Destination* least = least_of(set, trace);
      if (set.seats.size() > 1 && request.now > set.changed + full_expiration) remove_most_loaded(set, request.now);
      if (least != nullptr && !relief_.is_due(*least)) return decide(trace, "lblcr", least);
      if (trace != nullptr) {
        trace->say(least == nullptr ? "none of the set will do"
                                    : "the set is overburdened: one more server is looked for");
      }
    }
    Destination* picked = relief_.find(trace);
    if (picked == nullptr) return decide(trace, "lblcr", nullptr);
    if (entry == nullptr) entry = table_.insert(request.virtual_address, request.now);
    if (entry != nullptr) join(entry->value, picked, request.now);
    return decide(trace, "lblcr", picked);
  }

  void destinations_changed(const Destination* removed) override {
    seats_.changed(removed);
    relief_.list_changed();
  }
  void load_changed(const Destination& server) override { relief_.load_changed(server); }

 private:
  Destination* least_of(const ServerSet& set, Trace* trace) const {
    ServerLines lines(trace);
    Destination* least = nullptr;
    Load lowest;
    for (Seat seat : set.seats) {
      Destination* d = seats_.at(seat);
      if (d == nullptr || !d->is_usable()) {
        if (d != nullptr) lines.pass_by(*d);
        continue;
      }
      const Load load = overhead_by_weight(*d);
      const bool lower = least == nullptr || load < lowest;
      say_load(lines, *d, load, lower);
      if (lower) {
        least = d;
        lowest = load;
      }
    }
    return least;
  }

  // A server that has left the service counts as idle.
  void remove_most_loaded(ServerSet& set, Time now) {
    auto most = set.seats.end();
    Load highest;
    for (auto at = set.seats.begin(); at != set.seats.end(); ++at) {
      if (seats_.weight_of(*at) <= 0) continue;
      const Destination* d = seats_.at(*at);
      const Load load = d != nullptr ? Load{overhead_of(*d), static_cast<uint64_t>(d->weight)} : Load{0, 1};
      if (most != set.seats.end() && !(highest < load)) continue;
      most = at;
      highest = load;
    }
    if (most == set.seats.end()) return;
    seats_.release(*most);
    set.seats.erase(most);
    set.changed = now;
  }

  void join(ServerSet& set, Destination* server, Time now) {
    const auto is_it = [&](Seat seat) { return seats_.is_of(seat, server); };
    if (std::any_of(set.seats.begin(), set.seats.end(), is_it)) return;
    set.seats.insert(set.seats.begin(), seats_.hold(server));
    set.changed = now;
  }

  Seats seats_;
  Relief relief_;
  LocalityTable<ServerSet> table_;
};

}  // namespace

std::unique_ptr<Scheduler> make_lblcr(SchedulerContext context) {
  return std::make_unique<LocalityReplication>(context.destinations);
}

}  // namespace sluice::director::schedulers
