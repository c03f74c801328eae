// SPDX-License-Identifier: Apache-2.0
// What lblc and lblcr remember: destination address → server or servers. Entries are forgotten as in the kernel.
//
// The kernel scans its table once a minute. Every 30th scan removes all addresses that were not used for a day. At the
// other scans, if there are more than 16384 addresses, it removes some of those that were not used for six minutes,
// beginning where the last scan stopped, until 4/3 of the excess are removed. Above 24576 no new address is remembered.
// There is no timer here: scans that were due are made before a pick. The results are the same, except that the first
// minute begins with the first pick and not with the service.
//
// If a server is removed and added again, it is the same server for the kernel as long as an entry refers to it. So the
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

// The servers that the table refers to.
class Seats {
 public:
  explicit Seats(const Destinations& destinations) : destinations_(destinations) {}

  // Takes one reference.
  Seat hold(Destination* destination);
  void release(Seat seat);
  bool is_of(Seat seat, const Destination* destination) const { return seats_[seat].now == destination; }
  // nullptr while the server is not in the service.
  Destination* at(Seat seat) const { return seats_[seat].now; }
  // The current weight, or the last one before the server left.
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

  // nullptr if there are already too many.
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

  // Makes every scan that was due by `now`. Calls forget() with the value of each removed entry.
  template <typename Forget>
  void expire(Time now, Forget forget) {
    if (next_look_ == 0) next_look_ = now + look_interval;
    if (now >
        next_look_ + 2 * full_expiration) {  // every entry has been unused for a day: no need to count the minutes
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
  size_t rover_ = 0;    // the last bucket that was scanned
  unsigned looks_ = 1;  // since the last full one
  Time next_look_ = 0;
};

// Finds the server that takes over (the least overhead for its weight), and decides when a server is overburdened.
class Relief {
 public:
  explicit Relief(const Destinations& destinations);

  Destination* find(Trace* trace) { return least_.find(trace); }
  // As in the kernel: the server has more active connections than its weight, while another server has less than half
  // of its weight. (The flag of a server at its upper threshold does not matter here.)
  bool is_due(const Destination& destination);

  void list_changed();
  void load_changed(const Destination& server);

 private:
  LeastLoaded least_, idlest_;
};

}  // namespace sluice::director::schedulers
