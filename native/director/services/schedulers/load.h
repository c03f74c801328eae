// SPDX-License-Identifier: Apache-2.0
// How loaded a server is, in the kernel's numbers, and the search for the least loaded server.
//
// A load is a fraction, cost / weight. Fractions are compared exactly, by cross multiplication. A server replaces the
// best one so far only if its load is strictly lower, so the first of equals in the list wins. 64 bits hold the
// products for every weight that ipvsadm accepts (up to 65535) and four billion connections.
//
// The kernel walks the list for each new connection. LeastLoaded finds the same server by a tournament: a binary tree
// over the list, in which each node holds the less loaded of the two winners below it, the left one of equals. If the
// load of a server changes, the server is noted. Before the next search its matches are played again, up to the first
// match that it takes no part in: ten matches for a thousand servers. So the begin or end of a flow costs a note, and a
// search costs the logarithm of the list for each server that changed since the last search. If a choice is to be
// explained, the walk makes it.
#pragma once

#include "director/services/schedulers/reasons.h"
#include "director/services/service.h"

namespace sluice::director::schedulers {

// An active connection costs 257 inactive ones: Linux since 6.1.183 adds 256 times the active connections to *all*
// connections of the server; earlier versions add them to the inactive ones.
inline uint64_t overhead_of(const Destination& d) {
  return (uint64_t{d.active} << 8) + d.active + d.inactive;
}

// The cost for sed and nq: how long the new connection would wait if every active one were a unit of work.
inline uint64_t expected_delay_of(const Destination& d) {
  return uint64_t{d.active} + 1;
}

struct Load {
  uint64_t cost = 0;
  uint64_t weight = 1;
  bool operator<(const Load& other) const { return cost * other.weight < other.cost * weight; }
  bool is_finite() const { return weight != 0; }
};

// Higher than every other load: for a server that must not be picked.
inline constexpr Load infinite_load{1, 0};

inline Load overhead_by_weight(const Destination& d) {
  return d.is_usable() ? Load{overhead_of(d), static_cast<uint64_t>(d.weight)} : infinite_load;
}
inline Load delay_by_weight(const Destination& d) {
  return d.is_usable() ? Load{expected_delay_of(d), static_cast<uint64_t>(d.weight)} : infinite_load;
}

using LoadOf = Load (*)(const Destination&);

void say_load(ServerLines& lines, const Destination& destination, Load load, bool lowest);

// Walks over the list and records its reasons.
Destination* explain_least_loaded(const Destinations& destinations, LoadOf load_of, Trace& trace);

class LeastLoaded {
 public:
  LeastLoaded(const Destinations& destinations, LoadOf load_of) : destinations_(destinations), load_of_(load_of) {
    list_changed();
  }

  // nullptr if no load is finite.
  Destination* find();
  Destination* find(Trace* trace) {
    return trace != nullptr ? explain_least_loaded(destinations_, load_of_, *trace) : find();
  }

  // The scheduler's notifications, passed on.
  void list_changed();
  void load_changed(const Destination& server) {
    if (is_stale_ || is_noted_[server.place]) return;
    is_noted_[server.place] = true;
    noted_.push_back(server.place);
  }

 private:
  // Node 1 is the root; node n has the children 2n and 2n + 1; the servers follow after the inner nodes.
  uint32_t winner(size_t node) const { return node < leaves_ ? winners_[node] : static_cast<uint32_t>(node - leaves_); }
  // False if nothing has changed for the matches above.
  bool play(size_t node, uint32_t changed);
  void play_all();
  void play_noted();

  const Destinations& destinations_;
  const LoadOf load_of_;
  bool is_stale_ = true;           // the list has changed since the last search
  size_t leaves_ = 0;              // a power of two, or zero
  std::vector<Load> loads_;        // by place in the list; infinite beyond its end
  std::vector<uint32_t> winners_;  // by inner node: a place in the list
  std::vector<uint32_t> noted_;    // places whose load has changed, each once
  std::vector<uint8_t> is_noted_;
};

}  // namespace sluice::director::schedulers
