// SPDX-License-Identifier: Apache-2.0
#include "director/flows/spliced_flows.h"

#include <algorithm>

namespace sluice::director {

uint32_t SplicedFlows::take(const SplicedFlow& flow) {
  uint32_t place = high_water_;
  if (free_count_ > 0) {
    place = free_[--free_count_];
  } else {
    // The list of free places is as long as the array of flows, so a release always has room.
    if (high_water_ >= limit_ || !flows_.reach(high_water_ + 1) || !free_.reach(high_water_ + 1)) return none;
    high_water_++;
  }
  flows_[place] = flow;
  return place;
}

void SplicedFlows::release(uint32_t place) {
  stop_waiting(place);
  free_[free_count_++] = place;
}

void SplicedFlows::wait_for_answer(uint32_t place, Time now) {
  const uint8_t number = std::clamp<uint8_t>(flows_[place].syns, 1, most_syns);
  wait(place, static_cast<uint8_t>(queue_of_one_second + number - 1), now);
}

void SplicedFlows::wait_for_acknowledgement(uint32_t place, Time now) {
  wait(place, std::clamp<uint8_t>(flows_[place].announcement.times_sent, 1, last_queue), now);
}

void SplicedFlows::wait(uint32_t place, uint8_t number, Time now) {
  stop_waiting(place);
  SplicedFlow& flow = flows_[place];
  flow.queue = number;
  flow.due = now + (shortest_wait << (number - 1));
  Queue& queue = queues_[flow.queue];
  flow.next = none;
  flow.previous = queue.last;
  (queue.last == none ? queue.first : flows_[queue.last].next) = place;
  queue.last = place;
}

void SplicedFlows::stop_waiting(uint32_t place) {
  SplicedFlow& flow = flows_[place];
  if (flow.queue == 0) return;
  Queue& queue = queues_[flow.queue];
  (flow.previous == none ? queue.first : flows_[flow.previous].next) = flow.next;
  (flow.next == none ? queue.last : flows_[flow.next].previous) = flow.previous;
  flow.queue = 0;
}

uint32_t SplicedFlows::next_due() const {
  uint32_t found = none;
  for (const Queue& queue : queues_) {
    if (queue.first != none && (found == none || flows_[queue.first].due < flows_[found].due)) found = queue.first;
  }
  return found;
}

}  // namespace sluice::director
