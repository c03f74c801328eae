// SPDX-License-Identifier: Apache-2.0
// How loaded a server is, in the kernel's figures, and the walk that finds the least loaded one.
//
// A load is a fraction, cost / weight. Fractions are compared by cross multiplication, exactly: a server replaces the
// best one so far only when it is strictly lower, so the first of equals in the list wins. 64 bits hold the products
// for every weight that ipvsadm takes (up to 65535) and four billion connections.
//
// The walk is linear as the kernel's is, over fields that lie in the first 64 bytes of a server: an index kept in order
// of load would have to be told of every connection that changes between active and inactive.
#pragma once

#include "lvs/schedulers/reasons.h"
#include "lvs/service.h"

namespace sluice::lvs::schedulers {

// An active connection costs 257 inactive ones: Linux since 6.1.183 adds 256 times the active connections to *all*
// connections of the server, earlier ones to the inactive ones only.
inline uint64_t overhead_of(const Destination& d) {
  return (uint64_t{d.active} << 8) + d.active + d.inactive;
}

// As sed and nq reckon: how long the new connection would have to wait, were every active one a unit of work.
inline uint64_t expected_delay_of(const Destination& d) {
  return uint64_t{d.active} + 1;
}

struct Load {
  uint64_t cost = 0;
  uint64_t weight = 1;
  bool operator<(const Load& other) const { return cost * other.weight < other.cost * weight; }
};
inline Load overhead_by_weight(const Destination& d) {
  return {overhead_of(d), static_cast<uint64_t>(d.weight)};
}
inline Load delay_by_weight(const Destination& d) {
  return {expected_delay_of(d), static_cast<uint64_t>(d.weight)};
}

void say_load(ServerLines& lines, const Destination& destination, Load load, bool lowest);

template <typename LoadOf>
Destination* least_loaded(const Destinations& destinations, LoadOf load_of, Trace* trace) {
  ServerLines lines(trace);
  Destination* least = nullptr;
  Load lowest;
  for (Destination* d : destinations) {
    const bool usable = d->is_usable();
    const Load load = usable ? load_of(*d) : Load{};
    const bool lower = usable && (least == nullptr || load < lowest);
    if (lower) {
      least = d;
      lowest = load;
    }
    if (trace == nullptr) continue;
    if (usable) {
      say_load(lines, *d, load, lower);
    } else {
      lines.pass_by(*d);
    }
  }
  return least;
}

}  // namespace sluice::lvs::schedulers
