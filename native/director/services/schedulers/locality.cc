// SPDX-License-Identifier: Apache-2.0
#include "director/services/schedulers/locality.h"

namespace sluice::director::schedulers {
namespace {

// Also for overloaded servers.
Load active_by_weight(const Destination& d) {
  return d.weight > 0 ? Load{d.active, static_cast<uint64_t>(d.weight)} : infinite_load;
}

}  // namespace

Seat Seats::hold(Destination* destination) {
  auto [at, added] = seat_of_.try_emplace(destination, no_seat);
  if (added) {
    if (free_.empty()) {
      at->second = static_cast<Seat>(seats_.size());
      seats_.emplace_back();
    } else {
      at->second = free_.back();
      free_.pop_back();
    }
    seats_[at->second] = {destination->address, destination->port, destination->weight, destination, 0};
  }
  seats_[at->second].references++;
  return at->second;
}

void Seats::release(Seat seat) {
  Occupant& occupant = seats_[seat];
  if (--occupant.references > 0) return;
  if (occupant.now != nullptr) {
    seat_of_.erase(occupant.now);
  } else {
    std::erase(vacated_, seat);
  }
  free_.push_back(seat);
}

void Seats::changed(const Destination* removed) {
  if (const auto at = seat_of_.find(removed); removed != nullptr && at != seat_of_.end()) {
    Occupant& occupant = seats_[at->second];
    occupant.weight = occupant.now->weight;
    occupant.now = nullptr;
    vacated_.push_back(at->second);
    seat_of_.erase(at);
  }
  if (removed != nullptr || vacated_.empty()) return;
  for (Destination* d : destinations_) {
    const auto same = [&](Seat seat) { return seats_[seat].address == d->address && seats_[seat].port == d->port; };
    const auto seat = std::find_if(vacated_.begin(), vacated_.end(), same);
    if (seat == vacated_.end()) continue;
    seats_[*seat].now = d;
    seat_of_[d] = *seat;
    vacated_.erase(seat);
  }
}

Relief::Relief(const Destinations& destinations)
    : least_(destinations, overhead_by_weight), idlest_(destinations, active_by_weight) {}

bool Relief::is_due(const Destination& destination) {
  if (int64_t{destination.active} <= destination.weight) return false;
  const Destination* idlest = idlest_.find();
  return idlest != nullptr && int64_t{idlest->active} * 2 < idlest->weight;
}

void Relief::list_changed() {
  least_.list_changed();
  idlest_.list_changed();
}

void Relief::load_changed(const Destination& server) {
  least_.load_changed(server);
  idlest_.load_changed(server);
}

}  // namespace sluice::director::schedulers
