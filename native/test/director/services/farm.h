// SPDX-License-Identifier: Apache-2.0
// A service with real servers for tests of schedulers. It keeps the list, the counts and the overload flag as the
// kernel does, and tells the scheduler of every change.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "director/services/scheduler.h"

namespace sluice::director::test {

inline wire::Address address(const std::string& text) {
  const auto parsed = wire::parse_address(text);
  if (!parsed) throw std::invalid_argument("not an address: " + text);
  return *parsed;
}

inline RandomSource seeded(uint32_t seed) {
  return [engine = std::mt19937(seed)]() mutable { return static_cast<uint32_t>(engine()); };
}

class Farm {
 public:
  explicit Farm(const std::string& scheduler, uint8_t flags = 0, uint32_t seed = 1)
      : scheduler_(make_scheduler(scheduler, {list_, flags, seeded(seed)})) {
    if (!scheduler_) throw std::invalid_argument("no such scheduler: " + scheduler);
  }

  Destination* add(const std::string& server, int32_t weight, uint32_t upper = 0, uint32_t lower = 0) {
    auto& kept = servers_[server];  // a server that is added again is the same one with its counts
    if (!kept) kept = std::make_unique<Destination>();
    Destination* d = kept.get();
    d->address = address(server);
    d->port = 80;
    d->available = true;
    d->last_weight = 0;
    list_.insert(list_.begin(), d);
    set(d, weight, upper, lower);
    scheduler_->destinations_changed(nullptr);
    return d;
  }
  void edit(const std::string& server, int32_t weight, uint32_t upper = 0, uint32_t lower = 0) {
    set(at(server), weight, upper, lower);
    scheduler_->destinations_changed(nullptr);
  }
  void remove(const std::string& server) {
    Destination* d = at(server);
    d->available = false;
    std::erase(list_, d);
    scheduler_->destinations_changed(d);
  }

  Destination* pick(const ScheduleRequest& request, Trace* trace = nullptr) { return scheduler_->pick(request, trace); }
  Destination* pick(const std::string& client, uint16_t port = 1024, const std::string& to = "10.0.1.100") {
    return pick({address(client), address(to), port, 80, 6, now});
  }

  void opened(Destination* d) {
    d->active++;
    if (d->upper_threshold != 0 && d->active + d->inactive == d->upper_threshold) d->overloaded = true;
    tell(d);
  }
  void closed(Destination* d) {
    d->active--;
    d->inactive++;
    tell(d);
  }
  void expired(Destination* d, bool was_active) {
    (was_active ? d->active : d->inactive)--;
    const uint32_t recovers_below =
        d->lower_threshold != 0 ? d->lower_threshold : d->upper_threshold - d->upper_threshold / 4;
    if (d->active + d->inactive + 1 == recovers_below) d->overloaded = false;
    tell(d);
  }

  void set_active(Destination* d, uint32_t active) {
    d->active = active;
    tell(d);
  }
  void overload(Destination* d) {
    d->overloaded = true;
    tell(d);
  }

  Destination* at(const std::string& server) { return servers_.at(server).get(); }
  const Destinations& list() const { return list_; }
  Time now = 1000 * second;

 private:
  void tell(const Destination* d) {
    if (d->available) scheduler_->load_changed(*d);
  }
  static void set(Destination* d, int32_t weight, uint32_t upper, uint32_t lower) {
    d->set_weight(weight);
    if (d->upper_threshold == upper && d->lower_threshold == lower) return;
    d->upper_threshold = upper;
    d->lower_threshold = lower;
    const uint32_t recovers_below = lower != 0 ? lower : upper - upper / 4;
    const uint32_t connections = d->active + d->inactive;
    if (upper != 0 && connections >= upper) {
      d->overloaded = true;
    } else if (upper == 0 || connections < recovers_below) {
      d->overloaded = false;
    }
  }

  std::map<std::string, std::unique_ptr<Destination>> servers_;
  Destinations list_;
  std::unique_ptr<Scheduler> scheduler_;
};

}  // namespace sluice::director::test
