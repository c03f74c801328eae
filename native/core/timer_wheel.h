// SPDX-License-Identifier: Apache-2.0
// Deadlines of many flows without a scan: a hierarchical timing wheel (Varghese and Lauck, 1987) linked through the
// flows by index.
//
// Theory of operation
//
// Level 0 has a slot for each of the next 256 ticks (1.07 s); levels 1 to 4 have 64 slots each, of 2^8, 2^14, 2^20 and
// 2^26 ticks, and reach 2^32. A flow is queued in the finest level that reaches its deadline. When time enters a slot's
// span, the flows of the slot are spread over the finer levels ("cascade"); when time passes a tick, the flows in its
// slot of level 0 are due.
//
// Lazy: moving a deadline later leaves the flow in its slot. When the slot's time comes, the flow's deadline is read
// again and the flow is queued again. So a packet costs one store, and a busy flow is relinked about once per timeout.
// `armed` remembers the deadline for which a flow was queued; only a deadline earlier than that needs a relink.
//
// Bounded: advance() handles flows one at a time and can stop after any of them. The remaining flows stay in their
// slot, and the wheel keeps its position in time. The next call continues there.
//
// Limit: deadlines lie less than 2^31 ticks (104 days) ahead.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "core/time.h"

namespace sluice::core {

// `Flow` needs the members `deadline`, `armed`, `timer_next`, `timer_previous`. Every call is given the array of flows.
template <class Flow>
class TimerWheel {
 public:
  static constexpr uint32_t none = ~uint32_t{0};
  // Value of timer_previous for a flow that is in no slot. Otherwise it is a flow's index, or `in_slot | slot` for the
  // first flow of a slot.
  static constexpr uint32_t unqueued = ~uint32_t{0};
  // The same of a flow that is not in use. A rehearsal may find one that the worker has ended a moment ago.
  static constexpr uint32_t freed = unqueued - 1;

  explicit TimerWheel(Tick start) : current_(start) { heads_.fill(none); }

  void arm(Flow* flows, uint32_t index) {
    Flow& flow = flows[index];
    flow.armed = flow.deadline;
    const uint32_t slot = slot_for(flow.deadline);
    flow.timer_next = heads_[slot];
    flow.timer_previous = in_slot | slot;
    if (flow.timer_next != none) flows[flow.timer_next].timer_previous = index;
    heads_[slot] = index;
    if (slot < level0_slots) occupied_[slot / 64] |= uint64_t{1} << slot % 64;
  }

  void disarm(Flow* flows, uint32_t index) {
    Flow& flow = flows[index];
    if (flow.timer_previous >= freed) return;
    if (flow.timer_next != none) flows[flow.timer_next].timer_previous = flow.timer_previous;
    if ((flow.timer_previous & in_slot) == 0) {
      flows[flow.timer_previous].timer_next = flow.timer_next;
    } else {
      const uint32_t slot = flow.timer_previous & ~in_slot;
      heads_[slot] = flow.timer_next;
      if (flow.timer_next == none && slot < level0_slots) occupied_[slot / 64] &= ~(uint64_t{1} << slot % 64);
    }
    flow.timer_previous = unqueued;
  }

  void rearm(Flow* flows, uint32_t index) {
    disarm(flows, index);
    arm(flows, index);
  }

  // Calls due(index) for the flows whose deadlines have come, tick by tick. The flow is already unqueued, and due() may
  // change the wheel. Calls soon(index) for flows that will be handled within the next few steps. False if `budget`
  // steps were not enough.
  template <class Due, class Soon>
  bool advance(Flow* flows, Tick now, uint32_t budget, Due&& due, Soon&& soon) {
    while (is_due(current_, now)) {
      if (!cascade(flows, budget)) return false;
      if (!expire_tick(flows, budget, due, soon)) return false;
      if (budget == 0) return false;
      --budget;  // this also bounds a leap over a long idle time
      current_ = next_stop(now);
    }
    return true;
  }

  // As advance() for a wheel without flows, in one step.
  void skip(Tick now) { current_ = now + 1; }

 private:
  static constexpr uint32_t level0_slots = 256;
  static constexpr unsigned level0_bits = 8, level_bits = 6, levels = 5;
  static constexpr uint32_t level_slots = 1 << level_bits;
  static constexpr uint32_t slot_count = level0_slots + (levels - 1) * level_slots;
  static constexpr uint32_t in_slot = uint32_t{1} << 31;
  // How many flows ahead soon() is called: enough cache misses in flight, few enough to be still in cache when the
  // flows are handled.
  static constexpr unsigned lookahead = 8;

  static constexpr unsigned shift_of(unsigned level) { return level0_bits + (level - 1) * level_bits; }
  static uint32_t slot_of(unsigned level, Tick tick) {
    return level0_slots + (level - 1) * level_slots + (tick >> shift_of(level)) % level_slots;
  }

  uint32_t slot_for(Tick deadline) const {
    const uint32_t ahead = is_due(deadline, current_) ? 0 : deadline - current_;
    if (ahead < level0_slots) return (current_ + ahead) % level0_slots;
    return slot_of((static_cast<unsigned>(std::bit_width(ahead)) - level0_bits - 1) / level_bits + 1, deadline);
  }

  // At the first tick of a coarser slot's span: spreads the flows of the slot over finer levels, the coarsest level
  // first.
  bool cascade(Flow* flows, uint32_t& budget) {
    for (unsigned level = levels - 1; level > 0; --level) {
      if (current_ % (uint32_t{1} << shift_of(level)) != 0) continue;
      const uint32_t slot = slot_of(level, current_);
      while (heads_[slot] != none) {
        if (budget == 0) return false;
        --budget;
        const uint32_t index = heads_[slot];
        if (flows[index].timer_next != none) __builtin_prefetch(&flows[flows[index].timer_next]);
        rearm(flows, index);
      }
    }
    return true;
  }

  template <class Due, class Soon>
  bool expire_tick(Flow* flows, uint32_t& budget, Due& due, Soon& soon) {
    const uint32_t slot = current_ % level0_slots;
    for (unsigned told = 0; heads_[slot] != none; --told) {
      if (budget == 0) return false;
      --budget;
      const uint32_t index = heads_[slot];
      if (told == 0) {
        uint32_t ahead = index;
        for (; told < lookahead && ahead != none; ++told) {
          soon(ahead);
          ahead = flows[ahead].timer_next;
        }
      }
      disarm(flows, index);
      if (is_due(flows[index].deadline, current_)) {
        due(index);
      } else {
        arm(flows, index);
      }
    }
    return true;
  }

  // The next tick with something to do, at most now + 1: an occupied slot of level 0, or the beginning of the next
  // round of level 0.
  Tick next_stop(Tick now) const {
    const uint32_t from = current_ % level0_slots + 1;
    const Tick round = current_ - current_ % level0_slots;
    Tick stop = round + level0_slots;
    for (uint32_t word = from / 64; word < occupied_.size(); ++word) {
      const uint64_t later = occupied_[word] & (word == from / 64 ? ~uint64_t{0} << from % 64 : ~uint64_t{0});
      if (later == 0) continue;
      stop = round + word * 64 + static_cast<uint32_t>(std::countr_zero(later));
      break;
    }
    return is_due(stop, now) ? stop : now + 1;
  }

  Tick current_;  // all ticks before this one have been handled
  std::array<uint32_t, slot_count> heads_;
  std::array<uint64_t, level0_slots / 64> occupied_{};  // slots of level 0 that are not empty
};

}  // namespace sluice::core
