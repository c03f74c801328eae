// SPDX-License-Identifier: Apache-2.0
// Which slot is due first: a binary heap that knows where each slot is. A deadline that is no longer needed is taken
// out at once, so that the heap has one entry an exchange, however long timeouts are. A timing wheel would not do: the
// prober sleeps until the next deadline, and a wheel does not know it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/time.h"

namespace sluice::probe {

class Deadlines {
 public:
  bool is_empty() const { return heap_.empty(); }
  // The earliest deadline and its slot, unless empty.
  Time earliest() const { return heap_.front().deadline; }
  uint32_t first() const { return heap_.front().slot; }

  // The slot must have no deadline.
  void insert(uint32_t slot, Time deadline) {
    if (slot >= places_.size()) places_.resize(slot + 1, nowhere);
    heap_.push_back({deadline, slot});
    rise(heap_.size() - 1);
  }

  // Does nothing if the slot has no deadline.
  void remove(uint32_t slot) {
    if (slot >= places_.size() || places_[slot] == nowhere) return;
    const size_t place = std::exchange(places_[slot], nowhere);
    const Entry last = heap_.back();
    heap_.pop_back();
    if (place == heap_.size()) return;
    put(place, last);
    rise(place);
    sink(places_[last.slot]);
  }

 private:
  struct Entry {
    Time deadline;
    uint32_t slot;
  };
  static constexpr uint32_t nowhere = ~uint32_t{0};

  void put(size_t place, const Entry& entry) {
    heap_[place] = entry;
    places_[entry.slot] = static_cast<uint32_t>(place);
  }

  void rise(size_t place) {
    const Entry entry = heap_[place];
    while (place > 0 && entry.deadline < heap_[(place - 1) / 2].deadline) {
      put(place, heap_[(place - 1) / 2]);
      place = (place - 1) / 2;
    }
    put(place, entry);
  }

  void sink(size_t place) {
    const Entry entry = heap_[place];
    for (size_t child = 2 * place + 1; child < heap_.size(); child = 2 * place + 1) {
      if (child + 1 < heap_.size() && heap_[child + 1].deadline < heap_[child].deadline) child++;
      if (heap_[child].deadline >= entry.deadline) break;
      put(place, heap_[child]);
      place = child;
    }
    put(place, entry);
  }

  std::vector<Entry> heap_;
  std::vector<uint32_t> places_;  // by slot
};

}  // namespace sluice::probe
