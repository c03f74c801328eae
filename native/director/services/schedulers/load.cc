// SPDX-License-Identifier: Apache-2.0
#include "director/services/schedulers/load.h"

#include <algorithm>
#include <bit>
#include <cinttypes>

namespace sluice::director::schedulers {

void say_load(ServerLines& lines, const Destination& destination, Load load, bool lowest) {
  Trace* trace = lines.next();
  if (trace == nullptr) return;
  trace->say("%s: %u active, %u inactive, weight %d: %" PRIu64 "/%" PRIu64 " = %.1f%s", name_of(destination).c_str(),
             destination.active, destination.inactive, destination.weight, load.cost, load.weight,
             static_cast<double>(load.cost) / static_cast<double>(load.weight), lowest ? ", lowest so far" : "");
}

Destination* explain_least_loaded(const Destinations& destinations, LoadOf load_of, Trace& trace) {
  ServerLines lines(&trace);
  Destination* least = nullptr;
  Load lowest = infinite_load;
  for (Destination* d : destinations) {
    const Load load = load_of(*d);
    if (!load.is_finite()) {
      lines.pass_by(*d);
      continue;
    }
    const bool lower = load < lowest;
    say_load(lines, *d, load, lower);
    if (!lower) continue;
    least = d;
    lowest = load;
  }
  return least;
}

void LeastLoaded::list_changed() {
  is_stale_ = true;
  const size_t count = destinations_.size();
  leaves_ = count > 0 ? std::bit_ceil(count) : 0;
  loads_.assign(leaves_, infinite_load);
  winners_.assign(leaves_, 0);
  is_noted_.assign(count, false);
  noted_.clear();
  noted_.reserve(count);
}

Destination* LeastLoaded::find() {
  if (destinations_.empty()) return nullptr;
  if (is_stale_) {
    play_all();
  } else {
    play_noted();
  }
  const uint32_t best = winner(1);
  return loads_[best].is_finite() ? destinations_[best] : nullptr;
}

void LeastLoaded::play_all() {
  is_stale_ = false;
  for (uint32_t place = 0; place < destinations_.size(); place++) {
    destinations_[place]->place = place;
    loads_[place] = load_of_(*destinations_[place]);
  }
  for (size_t node = leaves_ - 1; node > 0; node--) play(node, 0);
}

void LeastLoaded::play_noted() {
  for (const uint32_t place : noted_) {
    is_noted_[place] = false;
    loads_[place] = load_of_(*destinations_[place]);
    for (size_t node = (leaves_ + place) / 2; node > 0 && play(node, place); node /= 2) {
    }
  }
  noted_.clear();
}

bool LeastLoaded::play(size_t node, uint32_t changed) {
  const uint32_t left = winner(2 * node), right = winner(2 * node + 1);
  const uint32_t before = winners_[node];
  winners_[node] = loads_[right] < loads_[left] ? right : left;
  return winners_[node] == changed || before == changed;
}

}  // namespace sluice::director::schedulers
