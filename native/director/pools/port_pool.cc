// SPDX-License-Identifier: Apache-2.0
#include "director/pools/port_pool.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "core/hash.h"

namespace sluice::director {
namespace {

constexpr uint32_t sparse_draws = 2;
constexpr uint32_t draws_without_map = 64;  // with half the places taken: one call in 2^64 misses; with 95 %: one in 27
constexpr uint32_t check_limit = 1024;      // lookups per call, some 30 us
constexpr uint32_t checks_onward = 2;  // per allocation: a map is complete when half as many places have been allocated
constexpr uint32_t checks_a_miss = 8;  // less than 1 us, so that a flood that exhausts a pool does not cost more
constexpr uint32_t dense_share = 256;  // a map is dropped when less than one place in this many is taken
constexpr uint32_t warning_hysteresis = 10;  // percent below the warning at which the next warning becomes possible

bool is_before(wire::Ipv4Address a, wire::Ipv4Address b) {
  return a.raw < b.raw;
}
bool is_before(const wire::Ipv6Address& a, const wire::Ipv6Address& b) {
  return a.raw < b.raw;
}

}  // namespace

template <class Address>
PortPool<Address>::PortPool(std::span<const Address> addresses, const PortPoolOptions& options, RandomSource random,
                            const core::MemorySource& memory)
    : options_(options), random_(std::move(random)), memory_(memory) {
  for (uint64_t& word : seed_) word = uint64_t{random_()} << 32 | random_();
  options_.workers = std::max<uint16_t>(options_.workers, 1);
  const uint32_t workers = options_.workers;
  const uint32_t first = options_.first_port + (options_.worker + workers - options_.first_port % workers) % workers;
  first_own_ = static_cast<uint16_t>(first);
  ports_ = first > options_.last_port ? 0 : (options_.last_port - first) / workers + 1;
  port_flows_.emplace(size_t{ports_} * slot_limit, false, memory_);
  dense_.resize(std::bit_ceil(std::max<uint32_t>(options_.dense_limit, 1)) * 2);
  free_maps_.reserve(options_.dense_limit);
  set_addresses(addresses);
}

template <class Address>
void PortPool<Address>::set_addresses(std::span<const Address> addresses) {
  std::vector<LocalAddress> next;
  next.reserve(addresses.size() + addresses_.size());
  for (const Address& address : addresses) {
    if (next.size() == address_limit) break;
    if (std::ranges::any_of(next, [&](const LocalAddress& known) { return known.address == address; })) continue;
    const uint32_t before = index_of(address);
    if (before == nowhere) {
      uint32_t* const slot = take_slot();
      if (slot == nullptr) continue;
      next.push_back({.address = address, .port_flows = slot});
      continue;
    }
    next.push_back(addresses_[before]);
    next.back().draining = false;
    addresses_[before].port_flows = nullptr;  // it has moved
  }
  serving_ = static_cast<uint32_t>(next.size());
  for (const LocalAddress& gone : addresses_) {
    if (gone.port_flows == nullptr) continue;
    if (gone.flows == 0) {
      free_slots_.push_back(gone.port_flows);
      continue;
    }
    next.push_back(gone);
    next.back().draining = true;
  }
  addresses_ = std::move(next);
  by_address_.resize(addresses_.size());
  for (uint32_t i = 0; i < by_address_.size(); ++i) by_address_[i] = i;
  std::ranges::sort(by_address_,
                    [this](uint32_t a, uint32_t b) { return is_before(addresses_[a].address, addresses_[b].address); });

  // The places have new numbers: the maps start again, and learn from the flow table which places are taken.
  if (counters_.dense > 0) std::ranges::fill(dense_, Dense{});
  counters_.dense = 0;
  free_maps_.clear();
  maps_begun_ = 0;
  places_ = ports_ * serving_;
  words_ = (places_ + 63) / 64;
  summary_words_ = (words_ + 63) / 64;
  maps_.emplace(size_t{words_ + summary_words_} * options_.dense_limit, false, memory_);
}

template <class Address>
uint32_t* PortPool<Address>::take_slot() {
  if (!free_slots_.empty()) {
    uint32_t* const slot = free_slots_.back();
    free_slots_.pop_back();
    return slot;
  }
  if (slots_begun_ == slot_limit || !port_flows_->reach(size_t{ports_} * (slots_begun_ + 1))) return nullptr;
  return port_flows_->data() + size_t{ports_} * slots_begun_++;
}

template <class Address>
std::optional<LocalEndpoint<Address>> PortPool<Address>::allocate(const FlowTable<Address>& flows,
                                                                  const RemoteEndpoint<Address>& remote) {
  const uint32_t place = places_ == 0 ? nowhere : find_place(flows, remote);
  if (place == nowhere) {
    ++counters_.misses;
    return std::nullopt;
  }
  const LocalEndpoint<Address> local = place_at(place);
  count(place % serving_, local.port, true);
  ++counters_.allocated;
  return local;
}

template <class Address>
bool PortPool<Address>::claim(const LocalEndpoint<Address>& local) {
  const uint32_t index = index_of(local.address);
  const bool is_own =
      local.port >= first_own_ && local.port <= options_.last_port && (local.port - first_own_) % options_.workers == 0;
  if (index == nowhere || !is_own) return false;
  count(index, local.port, true);
  ++counters_.allocated;
  return true;
}

template <class Address>
void PortPool<Address>::release(const RemoteEndpoint<Address>& remote, const LocalEndpoint<Address>& local) {
  const uint32_t index = index_of(local.address);
  if (index == nowhere) return;
  count(index, local.port, false);
  ++counters_.released;
  if (counters_.dense == 0 || index >= serving_) return;
  if (Dense* const dense = find_dense(remote); dense != nullptr) set_free(*dense, place_of(index, local.port));
}

template <class Address>
void PortPool<Address>::count(uint32_t address_index, uint16_t port, bool begins) {
  LocalAddress& address = addresses_[address_index];
  uint32_t& port_flows = address.port_flows[(port - first_own_) / options_.workers];
  if (begins) {
    ++address.flows;
    address.used_ports += port_flows++ == 0;
  } else {
    --address.flows;
    address.used_ports -= --port_flows == 0;
  }
}

template <class Address>
std::vector<AddressUse<Address>> PortPool<Address>::use() const {
  std::vector<AddressUse<Address>> all;
  for (const LocalAddress& address : addresses_) {
    if (address.draining && address.flows == 0) continue;
    all.push_back({.address = address.address,
                   .draining = address.draining,
                   .flows = address.flows,
                   .used_ports = address.used_ports,
                   .free_ports = ports_ - address.used_ports});
  }
  return all;
}

template <class Address>
double PortPool<Address>::fullest() const {
  if (counters_.dense == 0) return 0;
  uint32_t most = 0;
  for (const Dense& dense : dense_) most = std::max(most, dense.taken);
  return static_cast<double>(most) / places_;
}

template <class Address>
size_t PortPool<Address>::memory_bytes() const {
  return sizeof *this + addresses_.size() * (sizeof(LocalAddress) + ports_ * sizeof(uint32_t) + sizeof(uint32_t)) +
         dense_.size() * sizeof(Dense) + free_maps_.capacity() * sizeof(uint32_t) + maps_->committed_bytes();
}

// Neighbouring places lie on different addresses, so taking them in order spreads flows over all addresses.
template <class Address>
LocalEndpoint<Address> PortPool<Address>::place_at(uint32_t place) const {
  return {addresses_[place % serving_].address,
          static_cast<uint16_t>(first_own_ + place / serving_ * options_.workers)};
}

template <class Address>
uint32_t PortPool<Address>::place_of(uint32_t address_index, uint16_t port) const {
  return (port - first_own_) / options_.workers * serving_ + address_index;
}

template <class Address>
uint32_t PortPool<Address>::index_of(const Address& address) const {
  const auto at = std::ranges::lower_bound(
      by_address_, address, [](const Address& a, const Address& b) { return is_before(a, b); },
      [this](uint32_t index) { return addresses_[index].address; });
  return at == by_address_.end() || !(addresses_[*at].address == address) ? nowhere : *at;
}

template <class Address>
bool PortPool<Address>::is_taken(const FlowTable<Address>& flows, const RemoteEndpoint<Address>& remote,
                                 uint32_t place) const {
  const LocalEndpoint<Address> local = place_at(place);
  return static_cast<bool>(
      flows.find({{remote.address, local.address, remote.port, local.port}, remote.protocol, false}));
}

template <class Address>
uint32_t PortPool<Address>::find_place(const FlowTable<Address>& flows, const RemoteEndpoint<Address>& remote) {
  Dense* dense = counters_.dense == 0 ? nullptr : find_dense(remote);
  if (dense == nullptr) {
    const uint32_t place = find_place_by_draws(flows, remote, sparse_draws);
    if (place != nowhere) return place;
    dense = add_dense(remote);
  }
  if (dense != nullptr) return find_in_map(flows, *dense);
  const uint32_t place = find_place_by_draws(flows, remote, draws_without_map);
  counters_.gave_up += place == nowhere;
  return place;
}

template <class Address>
uint32_t PortPool<Address>::find_place_by_draws(const FlowTable<Address>& flows, const RemoteEndpoint<Address>& remote,
                                                uint32_t draws) {
  for (; draws > 0; --draws) {
    const uint32_t place = draw();
    if (!is_taken(flows, remote, place)) return place;
  }
  return nowhere;
}

template <class Address>
uint32_t PortPool<Address>::find_in_map(const FlowTable<Address>& flows, Dense& dense) {
  for (uint32_t i = 0; i < checks_onward && dense.checked < places_; ++i, ++dense.checked) {
    if (is_marked(dense, dense.checked) || !is_taken(flows, dense.remote, dense.checked)) continue;
    set_taken(dense, dense.checked);
  }
  uint32_t from = draw();
  for (uint32_t check = 0; check < check_limit; ++check) {
    const uint32_t place = next_free(dense, from);
    if (place == nowhere) return sweep(flows, dense);
    const bool was_taken = is_taken(flows, dense.remote, place);
    set_taken(dense, place);
    from = place + 1 < places_ ? place + 1 : 0;
    if (!was_taken) return place;
  }
  ++counters_.gave_up;
  return nowhere;
}

// Looks for a place of a full map that no flow has. If there is one, the caller gets it.
template <class Address>
uint32_t PortPool<Address>::sweep(const FlowTable<Address>& flows, Dense& dense) {
  for (uint32_t check = 0; check < checks_a_miss; ++check) {
    const uint32_t place = dense.swept;
    dense.swept = place + 1 < places_ ? place + 1 : 0;
    if (!is_taken(flows, dense.remote, place)) return place;
  }
  return nowhere;
}

template <class Address>
uint64_t PortPool<Address>::hash(const RemoteEndpoint<Address>& remote) const {
  uint64_t words[2] = {};
  std::memcpy(words, &remote.address, sizeof remote.address);
  const uint64_t rest = uint64_t{remote.protocol} << 16 | remote.port;
  return core::multiply_fold(core::multiply_fold(words[0] ^ seed_[0], rest ^ seed_[1]) ^ words[1], seed_[1] | 1);
}

// The remote end's entry; nullptr if it has none.
template <class Address>
typename PortPool<Address>::Dense* PortPool<Address>::find_dense(const RemoteEndpoint<Address>& remote) {
  for (size_t at = dense_home(remote); dense_[at].in_use; at = (at + 1) & (dense_.size() - 1)) {
    if (dense_[at].remote == remote) return &dense_[at];
  }
  return nullptr;
}

template <class Address>
typename PortPool<Address>::Dense* PortPool<Address>::add_dense(const RemoteEndpoint<Address>& remote) {
  if (counters_.dense >= options_.dense_limit) return nullptr;
  uint32_t map;
  if (!free_maps_.empty()) {
    map = free_maps_.back();
    free_maps_.pop_back();
  } else {
    if (!maps_->reach(size_t{words_ + summary_words_} * (maps_begun_ + 1))) return nullptr;
    map = maps_begun_++;
  }
  size_t at = dense_home(remote);
  while (dense_[at].in_use) at = (at + 1) & (dense_.size() - 1);
  dense_[at] = {.remote = remote, .map = map, .in_use = true};
  ++counters_.dense;

  uint64_t* const words = map_words(dense_[at]);
  std::fill_n(words, words_ + summary_words_, 0);
  // Bits beyond the last place are set: they are never free.
  if (places_ % 64 != 0) words[words_ - 1] = ~uint64_t{0} << places_ % 64;
  if (words_ % 64 != 0) words[words_ + summary_words_ - 1] = ~uint64_t{0} << words_ % 64;
  return &dense_[at];
}

template <class Address>
void PortPool<Address>::drop_dense(Dense* dense) {
  free_maps_.push_back(dense->map);
  --counters_.dense;
  // Entries after this one that were probed past this place move up, so that no search ends before them.
  size_t gap = static_cast<size_t>(dense - dense_.data());
  const size_t mask = dense_.size() - 1;
  for (size_t at = (gap + 1) & mask; dense_[at].in_use; at = (at + 1) & mask) {
    const size_t from_home = (at - dense_home(dense_[at].remote)) & mask;
    if (from_home < ((at - gap) & mask)) continue;
    dense_[gap] = dense_[at];
    gap = at;
  }
  dense_[gap] = {};
}

template <class Address>
uint64_t* PortPool<Address>::map_words(const Dense& dense) const {
  return maps_->data() + size_t{words_ + summary_words_} * dense.map;
}

template <class Address>
bool PortPool<Address>::is_marked(const Dense& dense, uint32_t place) const {
  return (map_words(dense)[place / 64] >> place % 64 & 1) != 0;
}

template <class Address>
void PortPool<Address>::set_taken(Dense& dense, uint32_t place) {
  uint64_t* const words = map_words(dense);
  const uint32_t word = place / 64;
  words[word] |= uint64_t{1} << place % 64;
  if (words[word] == ~uint64_t{0}) words[words_ + word / 64] |= uint64_t{1} << word % 64;
  ++dense.taken;
  if (!dense.warned && uint64_t{dense.taken} * 100 >= uint64_t{places_} * options_.warn_percent) {
    dense.warned = true;
    ++counters_.warnings;
  }
}

template <class Address>
void PortPool<Address>::set_free(Dense& dense, uint32_t place) {
  if (!is_marked(dense, place)) return;  // taken before the map began, and not yet found by a lookup
  uint64_t* const words = map_words(dense);
  const uint32_t word = place / 64;
  words[word] &= ~(uint64_t{1} << place % 64);
  words[words_ + word / 64] &= ~(uint64_t{1} << word % 64);
  --dense.taken;
  if (uint64_t{dense.taken} * 100 + uint64_t{places_} * warning_hysteresis <
      uint64_t{places_} * options_.warn_percent) {
    dense.warned = false;
  }
  const bool complete = dense.checked >= places_;
  if (dense.taken == 0 || (complete && dense.taken < places_ / dense_share)) drop_dense(&dense);
}

// The first free place in the map at or after `from`, wrapping around.
template <class Address>
uint32_t PortPool<Address>::next_free(const Dense& dense, uint32_t from) const {
  const uint64_t* const words = map_words(dense);
  const uint64_t* const full = words + words_;
  const uint32_t first_word = from / 64;
  const uint64_t here = ~words[first_word] & ~uint64_t{0} << from % 64;
  if (here != 0) return first_word * 64 + static_cast<uint32_t>(std::countr_zero(here));
  // One more round than there are words: the first word is read twice, once for the bits from `from` on and once for
  // those before.
  const uint32_t next_word = first_word + 1 < words_ ? first_word + 1 : 0;
  uint32_t summary = next_word / 64;
  uint64_t mask = ~uint64_t{0} << next_word % 64;
  for (uint32_t round = 0; round <= summary_words_; ++round) {
    const uint64_t not_full = ~full[summary] & mask;
    if (not_full != 0) {
      const uint32_t word = summary * 64 + static_cast<uint32_t>(std::countr_zero(not_full));
      return word * 64 + static_cast<uint32_t>(std::countr_zero(~words[word]));
    }
    mask = ~uint64_t{0};
    summary = summary + 1 < summary_words_ ? summary + 1 : 0;
  }
  return nowhere;
}

template class PortPool<wire::Ipv4Address>;
template class PortPool<wire::Ipv6Address>;

}  // namespace sluice::director
