// SPDX-License-Identifier: Apache-2.0
#include "director/flows/flow_table.h"

#include <utility>

namespace sluice::director {
namespace {

// Entries a bucket on average before the next one is split. Between two doublings the buckets not yet split hold up to
// twice the average, so half of the twelve keeps most keys out of overflow buckets for 11 bytes an entry.
constexpr uint64_t average_entries = 6;

constexpr uint32_t first_buckets = 64;  // a power of two

// At most one overflow bucket for so many buckets, as it was measured over a doubling (and then some).
constexpr uint32_t overflow_share = 8;

// Room for every bucket that `limit` flows with two entries each can ask for.
size_t most_buckets(uint32_t limit) {
  return uint64_t{limit} * 2 / average_entries + first_buckets + 1;
}

uint32_t clamp_limit(uint32_t limit) {
  return std::clamp<uint32_t>(limit, 1, flow_index_limit);
}

}  // namespace

template <class Address>
FlowTable<Address>::FlowTable(const FlowTableOptions& options)
    : flows_(clamp_limit(options.limit), options.huge_pages, options.flows ? *options.flows : *options.memory),
      buckets_(most_buckets(clamp_limit(options.limit)), options.huge_pages, *options.memory),
      bucket_count_(first_buckets),
      wide_mask_(first_buckets - 1),
      // Fixed numbers (from the fraction of pi) so that a seed of zeros is no worse than another.
      seed_{options.seed[0] ^ 0x243f6a8885a308d3, options.seed[1] ^ 0x13198a2e03707344,
            (options.seed[2] ^ 0xa4093822299f31d0) | 1, options.seed[3] ^ 0x082efa98ec4e6c89},
      overflows_(most_buckets(clamp_limit(options.limit)), options.huge_pages, *options.memory),
      wheel_(options.start),
      limit_(clamp_limit(options.limit)) {
  // Without its first buckets the table cannot work; a limit of no flows says so to every caller.
  if (!buckets_.reach(first_buckets) || !overflows_.reach(1) || !flows_.reach(1)) limit_ = 0;
  const uint32_t prepared = std::min(options.prepared, limit_);
  if (prepared == 0) return;
  flows_.prepare(prepared);
  buckets_.prepare(most_buckets(prepared));
  overflows_.prepare(most_buckets(prepared) / overflow_share);
}

template <class Address>
Flow<Address>* FlowTable<Address>::insert_forward(const FlowType& values) {
  const uint32_t index = take_flow();
  if (index == no_flow) return nullptr;
  FlowType& flow = flows_[index];
  flow = values;
  flow.timer_previous = core::TimerWheel<FlowType>::unqueued;

  const Key forward = flow.key(Direction::forward);
  const uint64_t forward_hash = hash(forward);
  if ((flow.flags & flow_has_reverse) != 0) prefetch_bucket(hash(flow.key(Direction::reverse)));
  // Each half may ask for an overflow bucket; once the flow is listed nothing may fail.
  if (!make_room(forward_hash) || (free_overflow_ == 0 && !overflows_.reach(overflow_high_water_ + 1))) {
    release_flow(index);
    return nullptr;
  }
  list(index << 1, forward, forward_hash);
  wheel_.arm(flows_.data(), index);
  ++size_;
  ++changes_;
  if ((flow.flags & flow_has_reverse) == 0) grow();
  return &flow;
}

template <class Address>
void FlowTable<Address>::list_reverse(FlowType& flow) {
  if ((flow.flags & flow_has_reverse) == 0) return;
  const Key reverse = flow.key(Direction::reverse);
  const uint64_t reverse_hash = hash(reverse);
  make_room(reverse_hash);
  list(index_of(flow) << 1 | 1, reverse, reverse_hash);
  grow();
}

// A split waits for the flows of its bucket, so they are sent for when the split before is done, some insertions ahead,
// and those of its overflow bucket, which itself must come first, an insertion or two later.
template <class Address>
void FlowTable<Address>::grow() {
  const uint64_t most_entries = average_entries * bucket_count_;
  if (entries_ > most_entries) {
    split_next();
    prefetch_split();
  } else if (entries_ + average_entries / 2 > most_entries) {
    prefetch_split_overflow();
  }
}

template <class Address>
void FlowTable<Address>::erase(FlowType& flow) {
  const uint32_t index = index_of(flow);
  unlist(index << 1, hash(flow.key(Direction::forward)));
  if (flow.flags & flow_has_reverse) unlist(index << 1 | 1, hash(flow.key(Direction::reverse)));
  wheel_.disarm(flows_.data(), index);
  release_flow(index);
  --size_;
  ++changes_;
}

template <class Address>
size_t FlowTable<Address>::memory_bytes() const {
  return flows_.committed_bytes() + buckets_.committed_bytes() + overflows_.committed_bytes() + sizeof *this;
}

template <class Address>
uint32_t FlowTable<Address>::take_flow() {
  if (size_ >= limit_) return no_flow;
  if (free_flow_ != no_flow) {
    const uint32_t index = std::exchange(free_flow_, flows_[free_flow_].timer_next);
    if (free_flow_ != no_flow) core::prefetch(&flows_[free_flow_]);  // for the next insertion
    return index;
  }
  if (!flows_.reach(high_water_ + 1)) return no_flow;
  return high_water_++;
}

template <class Address>
void FlowTable<Address>::release_flow(uint32_t index) {
  flows_[index].timer_previous = freed;
  flows_[index].timer_next = std::exchange(free_flow_, index);
}

// Sees to it that the chain of the key's bucket has a free entry.
template <class Address>
bool FlowTable<Address>::make_room(uint64_t hash) {
  Bucket* bucket = &bucket_of(hash);
  while (bucket->matches(0) == 0) {
    if (bucket->overflow == 0) {
      const uint32_t number = take_overflow();
      if (number == 0) return false;
      bucket->overflow = number;
    }
    bucket = &overflows_[bucket->overflow];
  }
  return true;
}

// Enters `ref` into a chain that has room. Of entries with the same key the newest stands first: it takes the place of
// the next older one, which moves on to the place of the one after that, until there is a free place.
template <class Address>
void FlowTable<Address>::list(uint32_t ref, const Key& key, uint64_t hash) {
  const uint8_t tag = tag_of(hash);
  for (Bucket* bucket = &bucket_of(hash);; bucket = &overflows_[bucket->overflow]) {
    const uint32_t free_places = bucket->matches(0);
    for (uint32_t places = bucket->matches(tag) | free_places; places != 0; places &= places - 1) {
      const auto place = static_cast<unsigned>(std::countr_zero(places));
      if (free_places >> place & 1) {
        bucket->tags[place] = tag;
        bucket->refs[place] = ref;
        ++entries_;
        return;
      }
      if (has_key(bucket->refs[place], key)) std::swap(bucket->refs[place], ref);
    }
  }
}

template <class Address>
void FlowTable<Address>::unlist(uint32_t ref, uint64_t hash) {
  const uint8_t tag = tag_of(hash);
  Bucket* previous = nullptr;
  for (Bucket* bucket = &bucket_of(hash);; previous = bucket, bucket = &overflows_[bucket->overflow]) {
    for (uint32_t matches = bucket->matches(tag); matches != 0; matches &= matches - 1) {
      const auto place = static_cast<unsigned>(std::countr_zero(matches));
      if (bucket->refs[place] != ref) continue;
      bucket->tags[place] = 0;
      --entries_;
      if (previous != nullptr && std::popcount(bucket->matches(0)) == bucket_entries) {
        const uint32_t emptied = std::exchange(previous->overflow, bucket->overflow);
        release_overflow(emptied);
      }
      return;
    }
  }
}

template <class Address>
uint32_t FlowTable<Address>::take_overflow() {
  if (free_overflow_ != 0) {
    const uint32_t number = std::exchange(free_overflow_, overflows_[free_overflow_].overflow);
    overflows_[number] = {};
    return number;
  }
  if (!overflows_.reach(overflow_high_water_ + 1)) return 0;
  return overflow_high_water_++;
}

template <class Address>
void FlowTable<Address>::release_overflow(uint32_t number) {
  overflows_[number].overflow = std::exchange(free_overflow_, number);
}

template <class Address>
void FlowTable<Address>::prefetch_split() const {
  const Bucket& bucket = buckets_[next_to_split()];
  core::prefetch(&overflows_[bucket.overflow]);
  for (uint32_t places = bucket.used(); places != 0; places &= places - 1) {
    core::prefetch(&flows_[bucket.refs[std::countr_zero(places)] >> 1]);
  }
}

template <class Address>
void FlowTable<Address>::prefetch_split_overflow() const {
  const uint32_t number = buckets_[next_to_split()].overflow;
  if (number == 0) return;
  const Bucket& bucket = overflows_[number];
  for (uint32_t places = bucket.used(); places != 0; places &= places - 1) {
    core::prefetch(&flows_[bucket.refs[std::countr_zero(places)] >> 1]);
  }
}

// Splits the next bucket in turn: those of its entries whose hash has the next bit set go to a new bucket at the end.
// Both chains keep the order of their entries. Does nothing where memory is short; the chains only become longer.
template <class Address>
void FlowTable<Address>::split_next() {
  Bucket* const from_first = &buckets_[next_to_split()];
  const uint32_t wide = bucket_count_ > wide_mask_ ? wide_mask_ * 2 + 1 : wide_mask_;
  const uint32_t to_number = bucket_count_;
  uint32_t chain = 0;
  for (const Bucket* bucket = from_first; bucket->overflow != 0; bucket = &overflows_[bucket->overflow]) ++chain;
  if (!buckets_.reach(to_number + 1) || !overflows_.reach(overflow_high_water_ + chain)) return;
  wide_mask_ = wide;
  ++bucket_count_;

  struct Place {
    Bucket* bucket;
    unsigned entry;
  };
  const auto append = [this](Place& at, uint8_t tag, uint32_t ref) {
    if (at.entry == bucket_entries) {
      if (at.bucket->overflow == 0) at.bucket->overflow = take_overflow();
      at = {&overflows_[at.bucket->overflow], 0};
    }
    at.bucket->tags[at.entry] = tag;
    at.bucket->refs[at.entry++] = ref;
  };
  Place stay{from_first, 0}, go{&buckets_[to_number], 0};
  for (Bucket* bucket = from_first;; bucket = &overflows_[bucket->overflow]) {
    for (unsigned entry = 0; entry < bucket_entries; ++entry) {
      const uint8_t tag = std::exchange(bucket->tags[entry], 0);
      if (tag == 0) continue;
      const uint32_t ref = bucket->refs[entry];
      const uint64_t key_hash = hash(flows_[ref >> 1].key(static_cast<Direction>(ref & 1)));
      append((key_hash & wide) == to_number ? go : stay, tag, ref);
    }
    if (bucket->overflow == 0) break;
  }
  // What the entries that stayed do not need.
  for (uint32_t number = std::exchange(stay.bucket->overflow, 0); number != 0;) {
    const uint32_t next = overflows_[number].overflow;
    release_overflow(number);
    number = next;
  }
}

template class FlowTable<wire::Ipv4Address>;
template class FlowTable<wire::Ipv6Address>;

}  // namespace sluice::director
