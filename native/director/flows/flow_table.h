// SPDX-License-Identifier: Apache-2.0
// The table of a worker's flows: one hash for both directions, timers, walks. Not shared between threads.
//
// Theory of operation
//
// Flows lie in one array that grows in place (ReservedArray), so a flow's index and address never change; freed ones
// are used again, last freed first. The array and the index keep the memory of their fullest hour: a flood that came
// once may come again, and `limit` bounds it.
//
// The index is a linear hash of buckets of one cache line: twelve entries, each a tag (eight bits of the hash) and a
// reference (flow's index and direction), and the number of an overflow bucket. A flow has one entry (forward) or two
// (flow_has_reverse). When there are more than six entries a bucket on average, the next bucket in turn is split in
// two: each insertion pays for at most one split, so there is never a rehash. A lookup reads the bucket's line,
// compares the twelve tags at once and reads the flow's line: two cache misses, which prefetch_bucket() and
// prefetch_flow() bring forward for a batch. The hash is keyed with a secret, so clients cannot choose tuples that meet
// in a bucket.
//
// Several flows may have the same key (as in the kernel, e.g. one client port to two virtual addresses with the same
// real server, seen in reverse): find() gives the one inserted last, and the one before it when that has ended.
//
// Timers: see timer_wheel.h. The table does not know the time in find(): a flow whose deadline has passed but which
// advance() has not reached yet (its budget was used up) is still found. The director asks is_due(flow.deadline, now)
// of what it finds, and ends such a flow by expire(), the same way as the wheel would have.
//
// Memory, everything included: 64 bytes a flow and about 11 an index entry; IPv6 128 and 11.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "core/hash.h"
#include "core/prefetch.h"
#include "core/reserved_array.h"
#include "core/time.h"
#include "core/timer_wheel.h"
#include "director/flows/flow.h"

namespace sluice::director {

struct FlowTableOptions {
  uint32_t limit = 1 << 24;        // flows; at most flow_index_limit
  std::array<uint64_t, 4> seed{};  // secret: random in service, fixed in a replay
  Tick start = 0;                  // the time now
  // Memory for this many flows is taken at once, in the constructor; beyond it a new flow may meet a page fault.
  uint32_t prepared = 0;
  // Lookups among millions of flows cost a third less, but the first touch of every 2 MiB clears all of it, which takes
  // 0.1 ms, and several where a hypervisor must find the memory first: for tables that are prepared up to their limit.
  bool huge_pages = false;
  const core::MemorySource* memory = nullptr;  // of index and timers; must be set
  const core::MemorySource* flows = nullptr;   // of the flows themselves; nullptr: `memory`
};

// A reference in the index is a flow's index and one bit of direction.
inline constexpr uint32_t flow_index_limit = uint32_t{1} << 30;

template <class Address>
struct FoundFlow {
  Flow<Address>* flow = nullptr;
  Direction direction = Direction::forward;
  explicit operator bool() const { return flow != nullptr; }
};

template <class Address>
class FlowTable {
 public:
  using FlowType = Flow<Address>;
  using Key = FlowKey<Address>;

  explicit FlowTable(const FlowTableOptions& options);

  // For a batch: hash and prefetch_bucket() for every packet, then prefetch_flow() for every packet, then find().
  uint64_t hash(const Key& key) const {
    const Endpoints<Address>& at = key.endpoints;
    return hash(at.source, at.destination, at.ports(), key.protocol, key.is_template);
  }
  // Ports as Endpoints::ports() has them.
  uint64_t hash(const Address& source, const Address& destination, uint32_t ports, uint8_t protocol,
                bool is_template = false) const;
  struct Bucket;
  // Gives the bucket, good until the table changes.
  const Bucket& prefetch_bucket(uint64_t hash) const {
    const Bucket& bucket = bucket_of(hash);
    core::prefetch(&bucket);
    return bucket;
  }
  // Gives what find() will probably come to, before it has been looked at: another flow may have the same tag, and this
  // one's may be in an overflow bucket. Good until changes() is another. False: `probable` is as it was, no flow in the
  // bucket has the tag.
  bool prefetch_flow(uint64_t hash, const Bucket& bucket, FoundFlow<Address>& probable) const;
  FoundFlow<Address> find(uint64_t hash, const Key& key) const;
  FoundFlow<Address> find(const Key& key) const { return find(hash(key), key); }
  uint32_t changes() const { return changes_; }

  // A copy of `flow`, listed under its keys and armed for its deadline. nullptr when `limit` is reached or the machine
  // has no more memory.
  FlowType* insert(const FlowType& flow) {
    FlowType* inserted = insert_forward(flow);
    if (inserted != nullptr) list_reverse(*inserted);
    return inserted;
  }
  // The same in two steps, for a caller with other work to do while the second half's bucket comes from memory. Between
  // them nothing may be looked up, inserted or erased.
  FlowType* insert_forward(const FlowType& flow);
  void list_reverse(FlowType& flow);
  void erase(FlowType& flow);

  // The flow lives until `deadline`. One store when that is later than before.
  void touch(FlowType& flow, Tick deadline) {
    flow.deadline = deadline;
    if (static_cast<int32_t>(deadline - flow.armed) < 0) wheel_.rearm(flows_.data(), index_of(flow));
  }

  // Runs the timers up to `now`: calls on_due(flow) for each flow whose deadline has come. True from on_due: the flow
  // is over, and the table erases it after the call. False: on_due gave it a later deadline (a template that still
  // holds flows). on_due may touch, insert and erase other flows, but not erase its own. Stops after `budget` steps (a
  // step is a flow looked at); false when there is more to do, which the next call carries on with.
  template <class OnDue>
  bool advance(Tick now, uint32_t budget, OnDue&& on_due);
  // The same for one flow that was found after its deadline and before advance() came to it. True when it is gone.
  template <class OnDue>
  bool expire(FlowType& flow, Tick now, OnDue&& on_due);

  // Visits the live flows at positions [cursor, cursor + positions) in the order of their indexes and gives the cursor
  // to carry on from; over when that is >= span(). visit(flow) may erase any flow. A flow that lives throughout a walk
  // is visited exactly once, whatever else comes and goes between the calls.
  template <class Visit>
  uint32_t walk(uint32_t cursor, uint32_t positions, Visit&& visit);
  uint32_t span() const { return high_water_; }

  uint32_t index_of(const FlowType& flow) const { return static_cast<uint32_t>(&flow - flows_.data()); }
  FlowType& at(uint32_t index) const { return flows_[index]; }
  // Of a flow in another table's memory, whole or not: whether it was in use.
  static bool was_live(const FlowType& flow) {
    constexpr FlowType never_used{};
    return flow.timer_previous != freed && std::memcmp(&flow.forward, &never_used.forward, sizeof flow.forward) != 0;
  }
  // From now on no other process sees what changes.
  bool make_private() { return flows_.make_private(); }
  // For indexes kept elsewhere: the flow there may have ended, and another may have its place.
  bool is_live(uint32_t index) const { return index < high_water_ && flows_[index].timer_previous != freed; }

  uint32_t size() const { return size_; }
  uint32_t limit() const { return limit_; }
  size_t memory_bytes() const;  // in use for flows, index and timers

  // A cache line of the index; its inside is the table's own.
  static constexpr unsigned bucket_entries = 12;
  struct alignas(64) Bucket {
    uint8_t tags[bucket_entries];  // 0: free
    uint32_t overflow;             // number of the overflow bucket that follows; 0: none
    uint32_t refs[bucket_entries];

    uint32_t used() const { return ~matches(0) & ((1U << bucket_entries) - 1); }
    // One bit for every entry with this tag.
    uint32_t matches(uint8_t tag) const {
#if defined(__SSE2__)
      const __m128i tags16 = _mm_load_si128(reinterpret_cast<const __m128i*>(tags));
      const __m128i wanted = _mm_set1_epi32(static_cast<int>(tag * 0x01010101u));  // a step less than _mm_set1_epi8()
      return static_cast<uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(tags16, wanted))) & ((1U << bucket_entries) - 1);
#else
      uint32_t mask = 0;
      for (unsigned i = 0; i < bucket_entries; ++i) mask |= static_cast<uint32_t>(tags[i] == tag) << i;
      return mask;
#endif
    }
  };

 private:
  static_assert(sizeof(Bucket) == 64);

  static uint8_t tag_of(uint64_t hash) {
    const auto tag = static_cast<uint8_t>(hash >> 56);
    return tag != 0 ? tag : 1;
  }
  uint32_t next_to_split() const {
    return bucket_count_ > wide_mask_ ? 0 : bucket_count_ & (wide_mask_ >> 1);
  }
  uint32_t bucket_number(uint64_t hash) const {
    const uint32_t number = static_cast<uint32_t>(hash) & wide_mask_;
    return number < bucket_count_ ? number : number & (wide_mask_ >> 1);
  }
  Bucket& bucket_of(uint64_t hash) const {
    return buckets_[bucket_number(hash)];
  }
  FoundFlow<Address> flow_of(uint32_t ref) const {
    return {&flows_[ref >> 1], static_cast<Direction>(ref & 1)};
  }
  bool has_key(uint32_t ref, const Key& key) const {
    const FlowType& flow = flows_[ref >> 1];
    const Endpoints<Address>& endpoints = (ref & 1) != 0 ? flow.reverse : flow.forward;
    return endpoints == key.endpoints && flow.protocol == key.protocol && flow.is_template() == key.is_template;
  }
  bool make_room(uint64_t hash);
  void list(uint32_t ref, const Key& key, uint64_t hash);
  void unlist(uint32_t ref, uint64_t hash);
  uint32_t take_overflow();
  void release_overflow(uint32_t number);
  void grow();
  void prefetch_split() const;
  void prefetch_split_overflow() const;
  void split_next();
  uint32_t take_flow();
  void release_flow(uint32_t index);

  // timer_previous of a flow that is not in use.
  static constexpr uint32_t freed = core::TimerWheel<FlowType>::freed;

  core::ReservedArray<FlowType> flows_;
  core::ReservedArray<Bucket> buckets_;
  uint32_t bucket_count_, wide_mask_;  // buckets 0 to bucket_count_ - 1; wide_mask_ covers them all
  std::array<uint64_t, 4> seed_;
  core::ReservedArray<Bucket> overflows_;
  core::TimerWheel<FlowType> wheel_;
  uint64_t entries_ = 0;
  uint32_t changes_ = 0;  // insertions and erasures
  uint32_t size_ = 0, limit_;
  uint32_t high_water_ = 0;                               // flows at and above this index were never used
  uint32_t free_flow_ = no_flow;                          // the last flow freed; its timer_next is the one freed before
  uint32_t overflow_high_water_ = 1, free_overflow_ = 0;  // number 0 means none
};

template <class Address>
inline uint64_t FlowTable<Address>::hash(const Address& source, const Address& destination, uint32_t ports,
                                         uint8_t protocol, bool is_template) const {
  uint64_t addresses;
  if constexpr (Address::family == wire::Family::ipv4) {
    addresses = uint64_t{destination.raw} << 32 | source.raw;
  } else {
    addresses = core::multiply_fold(source.raw[0] ^ seed_[2], source.raw[1] ^ seed_[3]) +
                core::multiply_fold(destination.raw[0] ^ seed_[3], destination.raw[1] ^ seed_[0]);
  }
  const uint64_t rest = uint64_t{is_template} << 40 | uint64_t{protocol} << 32 | ports;
  // The second multiplication spreads what a product with a small factor leaves in few bits.
  return core::multiply_fold(core::multiply_fold(addresses ^ seed_[0], rest ^ seed_[1]), seed_[2]);
}

template <class Address>
inline bool FlowTable<Address>::prefetch_flow(uint64_t hash, const Bucket& bucket, FoundFlow<Address>& probable) const {
  const uint32_t matches = bucket.matches(tag_of(hash));
  if (matches == 0) return false;
  probable = flow_of(bucket.refs[static_cast<uint32_t>(std::countr_zero(matches))]);
  core::prefetch(probable.flow);
  if constexpr (sizeof(FlowType) > 64) core::prefetch(reinterpret_cast<const char*>(probable.flow) + 64);
  return true;
}

template <class Address>
inline FoundFlow<Address> FlowTable<Address>::find(uint64_t hash, const Key& key) const {
  const uint8_t tag = tag_of(hash);
  for (const Bucket* bucket = &bucket_of(hash);; bucket = &overflows_[bucket->overflow]) {
    for (uint32_t matches = bucket->matches(tag); matches != 0; matches &= matches - 1) {
      const uint32_t ref = bucket->refs[std::countr_zero(matches)];
      if (has_key(ref, key)) return flow_of(ref);
    }
    if (bucket->overflow == 0) return {};
  }
}

template <class Address>
template <class OnDue>
bool FlowTable<Address>::expire(FlowType& flow, Tick now, OnDue&& on_due) {
  if (on_due(flow)) {
    erase(flow);
    return true;
  }
  // Whatever on_due wanted, time goes on: at the earliest it is asked again at the next tick.
  const Tick deadline = is_due(flow.deadline, now) ? now + 1 : flow.deadline;
  flow.deadline = deadline;
  wheel_.rearm(flows_.data(), index_of(flow));
  return false;
}

template <class Address>
template <class OnDue>
bool FlowTable<Address>::advance(Tick now, uint32_t budget, OnDue&& on_due) {
  const auto due = [&](uint32_t index) { expire(flows_[index], now, on_due); };
  const auto soon = [&](uint32_t index) {
    const FlowType& flow = flows_[index];
    prefetch_bucket(hash(flow.key(Direction::forward)));
    if (flow.flags & flow_has_reverse) prefetch_bucket(hash(flow.key(Direction::reverse)));
  };
  if (size_ == 0) {
    wheel_.skip(now);
    return true;
  }
  return wheel_.advance(flows_.data(), now, budget, due, soon);
}

template <class Address>
template <class Visit>
uint32_t FlowTable<Address>::walk(uint32_t cursor, uint32_t positions, Visit&& visit) {
  const uint32_t end = cursor < high_water_ ? cursor + std::min(positions, high_water_ - cursor) : cursor;
  for (; cursor < end; ++cursor) {
    if (flows_[cursor].timer_previous != freed) visit(flows_[cursor]);
  }
  return end;
}

extern template class FlowTable<wire::Ipv4Address>;
extern template class FlowTable<wire::Ipv6Address>;

}  // namespace sluice::director
