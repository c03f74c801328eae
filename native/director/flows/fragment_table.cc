// SPDX-License-Identifier: Apache-2.0
#include "director/flows/fragment_table.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "core/hash.h"

namespace sluice::director {
namespace {

constexpr uint32_t longest_datagram = 65535;
constexpr uint32_t expired_an_offer = 4;

// What a first fragment must hold. No later fragment may begin within it.
uint32_t fixed_header(uint8_t transport) {
  switch (transport) {
    case 6:
      return 20;  // TCP
    case 132:
      return 12;  // SCTP
    default:
      return 8;  // UDP, ICMP; a later fragment cannot begin before 8 anyway
  }
}

template <class Address>
FragmentDrop fault_of(const FragmentInfo<Address>& info) {
  if (info.length == 0 || info.offset + info.length > longest_datagram) return FragmentDrop::malformed;
  if (info.more && info.length % 8 != 0) return FragmentDrop::malformed;
  const uint32_t header = fixed_header(info.transport);
  if (info.offset == 0 && info.length < info.transport_offset + header) return FragmentDrop::tiny;
  if (info.offset != 0 && info.offset < header) return FragmentDrop::tiny;
  return FragmentDrop::none;
}

}  // namespace

template <class Address>
FragmentTable<Address>::FragmentTable(const FragmentTableOptions& options, OnDrop on_drop)
    : timeout_(options.timeout),
      seed_(options.seed ^ 0xbe5466cf34e90c6c),
      on_drop_(std::move(on_drop)),
      datagrams_(std::max<uint32_t>(options.datagrams, 1)),
      buckets_(std::bit_ceil(datagrams_.size()) * 2, none),
      chunks_(options.chunks),
      arena_(new uint8_t[options.chunks * chunk_size]),
      assembly_(chunks_a_datagram * chunk_size),
      free_chunks_(options.chunks) {
  for (uint32_t i = 0; i < datagrams_.size(); ++i) datagrams_[i].newer = std::exchange(free_datagram_, i);
  for (uint32_t i = 0; i < chunks_.size(); ++i) chunks_[i].next = std::exchange(free_chunk_, i);
}

template <class Address>
FragmentOutcome FragmentTable<Address>::offer(const FragmentInfo<Address>& info, wire::Bytes frame, uint64_t context,
                                              Time now, bool may_hold) {
  expire(now, expired_an_offer);
  if (const FragmentDrop fault = fault_of(info); fault != FragmentDrop::none) return drop(fault);
  if (info.offset == 0 && !info.more) return {.step = FragmentStep::whole};

  uint32_t index = find(info.key);
  if (index != none && datagrams_[index].deadline <= now) {
    forget(index, FragmentDrop::timed_out);
    index = none;
  }
  const bool is_early = info.offset != 0 && (index == none || datagrams_[index].state == State::waiting);
  if (is_early && !may_hold) return {.step = FragmentStep::early};
  if (index == none) index = create(info.key, now);
  Datagram& datagram = datagrams_[index];
  if (datagram.state == State::spoiled) return drop(FragmentDrop::spoiled);

  const FragmentDrop reason = add_piece(datagram, info);
  if (reason != FragmentDrop::none) {
    if (reason != FragmentDrop::duplicate) spoil(datagram, reason);
    return drop(reason);
  }
  if (info.offset == 0) return {.step = FragmentStep::first};
  if (datagram.state == State::decided) {
    const uint64_t decision = datagram.decision;
    if (is_complete(datagram)) forget(index, FragmentDrop::none);
    return {.step = FragmentStep::follow, .decision = decision};
  }
  if (!hold(datagram, frame, context)) {
    spoil(datagram, FragmentDrop::out_of_memory);
    return drop(FragmentDrop::out_of_memory);
  }
  return {.step = FragmentStep::held};
}

template <class Address>
void FragmentTable<Address>::reject(const FragmentKey<Address>& key) {
  if (const uint32_t index = find(key); index != none) spoil(datagrams_[index], FragmentDrop::rejected);
}

template <class Address>
void FragmentTable<Address>::postpone(const FragmentKey<Address>& key) {
  const uint32_t index = find(key);
  if (index == none) return;
  Datagram& datagram = datagrams_[index];
  for (uint32_t i = 0; i < datagram.pieces; ++i) {
    Piece& piece = datagram.piece[i];
    if (piece.begin != 0) continue;
    datagram.covered -= piece.end;
    piece = datagram.piece[--datagram.pieces];
    return;
  }
}

template <class Address>
void FragmentTable<Address>::expire(Time now, uint32_t budget) {
  for (; budget > 0 && oldest_ != none && datagrams_[oldest_].deadline <= now; --budget) {
    forget(oldest_, FragmentDrop::timed_out);
  }
}

template <class Address>
FragmentOutcome FragmentTable<Address>::drop(FragmentDrop reason) {
  ++dropped_[static_cast<size_t>(reason)];
  return {.step = FragmentStep::drop, .reason = reason};
}

// Adds the fragment's place to the datagram, or returns why that is not possible.
template <class Address>
FragmentDrop FragmentTable<Address>::add_piece(Datagram& datagram, const FragmentInfo<Address>& info) {
  const uint32_t end = info.offset + info.length;
  uint32_t furthest = 0;
  for (uint32_t i = 0; i < datagram.pieces; ++i) {
    const Piece& piece = datagram.piece[i];
    const bool same_end = info.more == (datagram.end == 0 || end != datagram.end);
    if (piece.begin == info.offset && piece.end == end && same_end) return FragmentDrop::duplicate;
    if (piece.begin < end && info.offset < piece.end) return FragmentDrop::overlap;
    furthest = std::max<uint32_t>(furthest, piece.end);
  }
  if (info.more ? datagram.end != 0 && end >= datagram.end : datagram.end != 0 || furthest > end) {
    return FragmentDrop::overlap;
  }
  if (datagram.pieces == fragment_limit) return FragmentDrop::too_many;
  datagram.piece[datagram.pieces++] = {static_cast<uint16_t>(info.offset), static_cast<uint16_t>(end)};
  datagram.covered += info.length;
  if (!info.more) datagram.end = end;
  return FragmentDrop::none;
}

template <class Address>
bool FragmentTable<Address>::hold(Datagram& datagram, wire::Bytes frame, uint64_t context) {
  const auto wanted = static_cast<uint32_t>((frame.size() + chunk_size - 1) / chunk_size);
  if (wanted == 0 || wanted > free_chunks_ || datagram.chunks + wanted > chunks_a_datagram) return false;
  const uint32_t first = free_chunk_;
  uint32_t last = none;
  for (size_t at = 0; at < frame.size(); at += chunk_size) {
    last = std::exchange(free_chunk_, chunks_[free_chunk_].next);
    std::memcpy(&arena_[last * chunk_size], &frame[at], std::min(chunk_size, frame.size() - at));
  }
  free_chunks_ -= wanted;
  chunks_[last].next = none;
  chunks_[first].context = context;
  chunks_[first].next_frame = none;
  chunks_[first].size = static_cast<uint32_t>(frame.size());
  (datagram.first_held == none ? datagram.first_held : chunks_[datagram.last_held].next_frame) = first;
  datagram.last_held = first;
  datagram.chunks += wanted;
  return true;
}

// The frame that begins in `chunk`; valid until the next call.
template <class Address>
wire::Bytes FragmentTable<Address>::frame_at(uint32_t chunk) {
  const size_t size = chunks_[chunk].size;
  if (size <= chunk_size) return {&arena_[chunk * chunk_size], size};
  for (size_t at = 0; at < size; at += chunk_size, chunk = chunks_[chunk].next) {
    std::memcpy(&assembly_[at], &arena_[chunk * chunk_size], std::min(chunk_size, size - at));
  }
  return {assembly_.data(), size};
}

template <class Address>
void FragmentTable<Address>::release_frame(uint32_t chunk) {
  while (chunk != none) {
    const uint32_t next = std::exchange(chunks_[chunk].next, free_chunk_);
    free_chunk_ = chunk;
    ++free_chunks_;
    chunk = next;
  }
}

template <class Address>
void FragmentTable<Address>::drop_held(Datagram& datagram, FragmentDrop reason) {
  while (datagram.first_held != none) {
    const uint32_t chunk = datagram.first_held;
    datagram.first_held = chunks_[chunk].next_frame;
    const uint64_t context = chunks_[chunk].context;
    release_frame(chunk);
    ++dropped_[static_cast<size_t>(reason)];
    on_drop_(context, reason);
  }
  datagram.chunks = 0;
}

// No further fragment of the datagram passes until it is forgotten.
template <class Address>
void FragmentTable<Address>::spoil(Datagram& datagram, FragmentDrop reason) {
  datagram.state = State::spoiled;
  drop_held(datagram, reason);
}

template <class Address>
uint32_t& FragmentTable<Address>::bucket_of(const FragmentKey<Address>& key) {
  uint64_t words[4] = {};
  std::memcpy(words, &key.source, sizeof key.source);
  std::memcpy(words + 2, &key.destination, sizeof key.destination);
  const uint64_t addresses = core::multiply_fold(words[0] ^ seed_, words[1] ^ 0x9e3779b97f4a7c15) +
                             core::multiply_fold(words[2] ^ ~seed_, words[3] ^ 0xc2b2ae3d27d4eb4f);
  const uint64_t rest = uint64_t{key.protocol} << 32 | key.identification;
  return buckets_[core::multiply_fold(addresses ^ seed_, rest ^ 0x165667b19e3779f9) & (buckets_.size() - 1)];
}

template <class Address>
uint32_t FragmentTable<Address>::find(const FragmentKey<Address>& key) {
  uint32_t index = bucket_of(key);
  while (index != none && !(datagrams_[index].key == key)) index = datagrams_[index].next_in_bucket;
  return index;
}

template <class Address>
uint32_t FragmentTable<Address>::create(const FragmentKey<Address>& key, Time now) {
  if (free_datagram_ == none) forget(oldest_, FragmentDrop::displaced);
  const uint32_t index = free_datagram_;
  Datagram& datagram = datagrams_[index];
  free_datagram_ = datagram.newer;
  // The array of pieces needs no clearing: `pieces` is their number.
  datagram.key = key;
  datagram.deadline = now + timeout_;
  datagram.next_in_bucket = std::exchange(bucket_of(key), index);
  datagram.older = std::exchange(newest_, index);
  datagram.newer = none;
  (datagram.older == none ? oldest_ : datagrams_[datagram.older].newer) = index;
  datagram.first_held = datagram.last_held = none;
  datagram.chunks = datagram.end = datagram.covered = 0;
  datagram.pieces = 0;
  datagram.state = State::waiting;
  ++size_;
  return index;
}

template <class Address>
void FragmentTable<Address>::forget(uint32_t index, FragmentDrop reason) {
  Datagram& datagram = datagrams_[index];
  drop_held(datagram, reason);
  uint32_t* link = &bucket_of(datagram.key);
  while (*link != index) link = &datagrams_[*link].next_in_bucket;
  *link = datagram.next_in_bucket;
  (datagram.older == none ? oldest_ : datagrams_[datagram.older].newer) = datagram.newer;
  (datagram.newer == none ? newest_ : datagrams_[datagram.newer].older) = datagram.older;
  datagram.newer = std::exchange(free_datagram_, index);
  --size_;
}

template class FragmentTable<wire::Ipv4Address>;
template class FragmentTable<wire::Ipv6Address>;

}  // namespace sluice::director
