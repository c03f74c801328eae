// SPDX-License-Identifier: Apache-2.0
// What lblc and lblcr remember: destination address → server or servers, forgotten as the kernel forgets it.
//
// The kernel looks over its table once a minute. An address that nobody asked for in a day goes at every 30th look; at
// the others, while there are more than 16384 addresses, some of those that nobody asked for in six minutes go, from
// where the last look stopped, until 4/3 of the excess have gone. New addresses are not remembered above 24576. There
// is no timer here: the looks that were due are caught up with before a pick, which nobody can tell apart, except that
// the first minute begins with the first pick and not with the service.
//
// A server that is removed and added again is the same server to the kernel as long as anything refers to it; so the
// table holds *seats*, which outlive the Destination.
#pragma once

#include <algorithm>
#include <array>
#include <unordered_map>
#include <vector>

#include "director/services/schedulers/hash.h"
#include "director/services/schedulers/load.h"
#include "director/services/service.h"

namespace sluice::director::schedulers {

using Seat = uint32_t;
inline constexpr Seat no_seat = UINT32_MAX;

// Stands for the servers that the table refers to.
class Seats {
 public:
  explicit Seats(const Destinations& destinations) : destinations_(destinations) {}

  // Takes one reference.
  Seat hold(Destination* destination);
  void release(Seat seat);
  bool is_of(Seat seat, const Destination* destination) const { return seats_[seat].now == destination; }
  // nullptr while the server is not in the service.
  Destination* at(Seat seat) const { return seats_[seat].now; }
  // As it is, or was when it left.
  int32_t weight_of(Seat seat) const { return at(seat) != nullptr ? at(seat)->weight : seats_[seat].weight; }
  void changed(const Destination* removed);

 private:
  struct Occupant {
    wire::Address address;
    uint16_t port = 0;
    int32_t weight = 0;
    Destination* now = nullptr;
    uint32_t references = 0;
  };

  const Destinations& destinations_;
  std::vector<Occupant> seats_;
  std::vector<Seat> free_, vacated_;
  std::unordered_map<const Destination*, Seat> seat_of_;
};

inline constexpr Time look_interval = 60 * second;
inline constexpr Time entry_timeout = 6 * 60 * second;             // while there are too many
inline constexpr Time full_expiration = Time{24} * 3600 * second;  // sysctl lblc_expiration, lblcr_expiration
inline constexpr unsigned looks_to_full = 30;
inline constexpr unsigned bucket_bits = 10;
inline constexpr size_t bucket_count = size_t{1} << bucket_bits;
inline constexpr size_t plenty = bucket_count * 16, most_entries = plenty * 3 / 2;

template <typename Value>
class LocalityTable {
 public:
  struct Entry {
    wire::Address address;
    Time last_use = 0;
    Value value;
    uint32_t next = none;
  };

  LocalityTable() { buckets_.fill(none); }

  Entry* find(const wire::Address& address) {
    for (uint32_t i = buckets_[bucket_of(address)]; i != none; i = entries_[i].next) {
      if (entries_[i].address == address) return &entries_[i];
    }
    return nullptr;
  }

  // nullptr when there are too many already.
  Entry* insert(const wire::Address& address, Time now) {
    if (size_ >= most_entries) return nullptr;
    uint32_t index = free_;
    if (index == none) {
      index = static_cast<uint32_t>(entries_.size());
      entries_.emplace_back();
    } else {
      free_ = entries_[index].next;
    }
    uint32_t& head = buckets_[bucket_of(address)];
    Entry& entry = entries_[index];
    entry.address = address;
    entry.last_use = now;
    entry.next = head;
    head = index;
    size_++;
    return &entry;
  }

  template <typename Forget>
  void erase(const Entry* entry, Forget forget) {
    erase_if(
        bucket_of(entry->address), [entry](const Entry& e) { return &e == entry; }, forget);
  }

  // Every look that has been due by `now`; `forget` is told the value of each entry that goes.
  template <typename Forget>
  void expire(Time now, Forget forget) {
    if (next_look_ == 0) next_look_ = now + look_interval;
    if (now > next_look_ + 2 * full_expiration) {  // everything has been stale for a day; no need to count the minutes
      for (size_t b = 0; b < bucket_count; b++) {
        erase_if(
            b, [](const Entry&) { return true; }, forget);
      }
      next_look_ = now + look_interval;
      looks_ = 1;
    }
    for (; next_look_ <= now; next_look_ += look_interval) look(next_look_, forget);
  }

 private:
  static constexpr uint32_t none = UINT32_MAX;

  static size_t bucket_of(const wire::Address& a) { return hash_32(fold_address(a, a.family), bucket_bits); }

  template <typename Forget>
  void look(Time now, Forget forget) {
    const auto unused_for = [now](Time timeout) {
      return [now, timeout](const Entry& e) { return now >= e.last_use + timeout; };
    };
    if (looks_ % looks_to_full == 0) {
      for (size_t b = 0; b < bucket_count; b++) erase_if(b, unused_for(full_expiration), forget);
      looks_ = 1;
    } else if (size_ <= plenty) {
      looks_++;
    } else {
      size_t goal = std::min((size_ - plenty) * 4 / 3, plenty / 2);
      for (size_t i = 0; i < bucket_count && goal > 0; i++) {
        rover_ = (rover_ + 1) % bucket_count;
        goal -= std::min(goal, erase_if(rover_, unused_for(entry_timeout), forget));
      }
    }
  }

  template <typename Goes, typename Forget>
  size_t erase_if(size_t bucket, Goes goes, Forget forget) {
    size_t erased = 0;
    for (uint32_t* link = &buckets_[bucket]; *link != none;) {
      const uint32_t index = *link;
      Entry& entry = entries_[index];
      if (!goes(entry)) {
        link = &entry.next;
        continue;
      }
      forget(entry.value);
      entry.value = Value{};
      *link = entry.next;
      entry.next = free_;
      free_ = index;
      size_--;
      erased++;
    }
    return erased;
  }

  std::array<uint32_t, bucket_count> buckets_;
  std::vector<Entry> entries_;
  uint32_t free_ = none;
  size_t size_ = 0;
  size_t rover_ = 0;    // the bucket last looked at
  unsigned looks_ = 1;  // since the last full one
  Time next_look_ = 0;
};

// Who may take over: the server with the least overhead for its weight; and from whom.
class Relief {
 public:
  explicit Relief(const Destinations& destinations);

  Destination* find(Trace* trace) { return least_.find(trace); }
  // As the kernel's: more active connections than its weight says, while another server has less than half as many as
  // it could have. (The flag of a server at its upper threshold is another matter.)
  bool is_due(const Destination& destination);

  void list_changed();
  void load_changed(const Destination& server);

 private:
  LeastLoaded least_, idlest_;
};

}  // namespace sluice::director::schedulers
