// SPDX-License-Identifier: Apache-2.0
#include "director/pools/local_pools.h"

#include <algorithm>

namespace sluice::director {

namespace {

// visit(address, flows) for each address that the pool knows.
template <class A, class Visit>
void visit_use(const PortPool<A>* pool, Visit visit) {
  if (pool == nullptr) return;
  for (const AddressUse<A>& use : pool->use()) visit(wire::Address(use.address), use.flows);
}

}  // namespace

template <class A>
void LocalPools::set_family(std::unique_ptr<PortPool<A>>& pool, const PoolSettings& settings) {
  std::vector<A> addresses;
  for (const wire::Address& address : settings.addresses) {
    if (address.family == A::family) addresses.push_back(A::load(address.bytes.data()));
  }
  if (pool) {
    pool->set_addresses(addresses);
  } else if (!addresses.empty()) {
    PortPoolOptions options;
    options.first_port = settings.first_port;
    options.last_port = settings.last_port;
    options.worker = worker_;
    options.workers = workers_;
    pool = std::make_unique<PortPool<A>>(addresses, options, random_, memory_);
  }
}

// The edition for these settings: a new one if there is none, or if the range of ports has changed. Settings without
// addresses do not change the ports.
LocalPools::Edition& LocalPools::present(uint32_t id, const PoolSettings& settings) {
  const auto [entry, is_new] = present_.try_emplace(id, next_edition_);
  if (!is_new) {
    Edition& before = editions_[entry->second];
    const bool same_ports =
        before.settings.first_port == settings.first_port && before.settings.last_port == settings.last_port;
    if (same_ports || settings.addresses.empty()) return before;
    before.settings.addresses.clear();
    set_family(before.v4, before.settings);
    set_family(before.v6, before.settings);
    entry->second = next_edition_;
  }
  Edition& edition = editions_[next_edition_++];
  edition.pool = id;
  edition.settings = settings;
  return edition;
}

void LocalPools::set(uint32_t id, const PoolSettings& settings) {
  Edition& edition = present(id, settings);
  edition.settings.addresses = settings.addresses;
  set_family(edition.v4, settings);
  set_family(edition.v6, settings);
  forget_ended();
  list_addresses();
}

void LocalPools::forget_ended() {
  std::erase_if(editions_, [&](const auto& entry) {
    const auto& [number, edition] = entry;
    uint64_t flows = 0;
    const auto add = [&](const wire::Address&, uint64_t of_address) { flows += of_address; };
    visit_use(edition.v4.get(), add);
    visit_use(edition.v6.get(), add);
    const bool has_ended = present_[edition.pool] != number && flows == 0;
    if (has_ended) ended_misses_[edition.pool] += edition.misses();
    return has_ended;
  });
}

uint64_t LocalPools::Edition::misses() const {
  return (v4 ? v4->counters().misses : 0) + (v6 ? v6->counters().misses : 0);
}

PoolUse LocalPools::use(uint32_t id) const {
  PoolUse use;
  if (const auto ended = ended_misses_.find(id); ended != ended_misses_.end()) use.misses = ended->second;
  const auto add = [&use](const auto* pool, bool is_present) {
    if (pool == nullptr) return;
    for (const auto& one : pool->use()) {
      const uint32_t free_ports = one.draining ? 0 : one.free_ports;
      use.addresses.push_back({wire::Address(one.address), one.flows, one.used_ports, free_ports});
    }
    if (is_present) use.fullest = std::max(use.fullest, pool->fullest());
  };
  for (const auto& [number, edition] : editions_) {
    if (edition.pool != id) continue;
    use.misses += edition.misses();
    const bool is_present = this->edition(id) == number;
    add(edition.v4.get(), is_present);
    add(edition.v6.get(), is_present);
  }
  return use;
}

void LocalPools::list_addresses() {
  addresses_.clear();
  draining_.clear();
  for (const auto& [number, edition] : editions_) {
    addresses_.insert(edition.settings.addresses.begin(), edition.settings.addresses.end());
    const auto note = [&](const wire::Address& address, uint64_t flows) {
      if (flows > 0) draining_.insert(address);
    };
    visit_use(edition.v4.get(), note);
    visit_use(edition.v6.get(), note);
  }
  std::erase_if(draining_, [&](const wire::Address& address) { return addresses_.contains(address); });
}

bool LocalPools::has_flows(const wire::Address& address, uint16_t first_port, uint16_t last_port) const {
  bool found = false;
  const auto look = [&](const wire::Address& one, uint64_t flows) { found |= flows > 0 && one == address; };
  for (const auto& [number, edition] : editions_) {
    if (edition.settings.first_port != first_port || edition.settings.last_port != last_port) continue;
    visit_use(edition.v4.get(), look);
    visit_use(edition.v6.get(), look);
  }
  return found;
}

bool LocalPools::has_port(const wire::Address& address, uint16_t port) const {
  if (!is_local_address(address)) return false;
  for (const auto& [number, edition] : editions_) {
    const PoolSettings& settings = edition.settings;
    if (port < settings.first_port || port > settings.last_port) continue;
    const auto& addresses = settings.addresses;
    if (std::find(addresses.begin(), addresses.end(), address) != addresses.end()) return true;
    bool is_drained = false;
    const auto look = [&](const wire::Address& one, uint64_t flows) { is_drained |= flows > 0 && one == address; };
    visit_use(edition.v4.get(), look);
    visit_use(edition.v6.get(), look);
    if (is_drained) return true;
  }
  return false;
}

// For an address that is in no pool any more: whether a flow still has it.
bool LocalPools::is_in_use(const wire::Address& address) const {
  if (!draining_.contains(address)) return false;
  bool found = false;
  const auto look = [&](const wire::Address& one, uint64_t flows) { found |= flows > 0 && one == address; };
  for (const auto& [number, edition] : editions_) {
    visit_use(edition.v4.get(), look);
    visit_use(edition.v6.get(), look);
  }
  return found;
}

}  // namespace sluice::director
