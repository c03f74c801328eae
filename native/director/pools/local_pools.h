// SPDX-License-Identifier: Apache-2.0
// The pools of local addresses, by number: FULLNAT services and egress rules name them.
//
// A pool may change while flows use it. Addresses come and go within one PortPool, which remembers removed addresses
// until their flows have ended. Another range of ports has other places, so it begins a new edition of the pool; the
// old edition allocates nothing more and lives until its flows have ended. Flows remember the edition of their place.
#pragma once

#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "director/pools/port_pool.h"
#include "director/services/service.h"

namespace sluice::director {

struct PoolSettings {
  std::vector<wire::Address> addresses;  // of both families
  uint16_t first_port = 1024, last_port = 65535;
};

// What flows have taken of a pool, and how often they found nothing free.
struct PoolUse {
  struct Local {
    wire::Address address;
    uint64_t flows = 0;
    uint32_t used_ports = 0;  // by at least one flow
    uint32_t free_ports = 0;  // 0 if the address is in the pool no more
  };
  std::vector<Local> addresses;  // an address is listed once for each edition that has it
  uint64_t misses = 0;           // flows that found no place; never falls
  double fullest = 0;            // PortPool::fullest() of the current edition, of the fuller family
};

class LocalPools {
 public:
  // A worker has a share of each pool's ports.
  LocalPools(RandomSource random, uint16_t worker, uint16_t workers, const core::MemorySource& memory)
      : random_(std::move(random)), worker_(worker), workers_(workers), memory_(memory) {}

  // Creates a pool, or gives an existing pool other addresses and ports: flows keep their places.
  void set(uint32_t id, const PoolSettings& settings);

  // The pool's current edition; `no_pool` if there is no such pool.
  uint32_t edition(uint32_t id) const {
    const auto found = present_.find(id);
    return found == present_.end() ? no_pool : found->second;
  }
  // By edition. nullptr if there is none, or if it never had an address of that family.
  template <class A>
  PortPool<A>* find(uint32_t edition);
  // Takes the place for a flow and returns the edition that it belongs to; `no_pool` if no pool has the place.
  template <class A>
  uint32_t claim(const LocalEndpoint<A>& local);
  // Number of flows that have a place in any edition of the pool.
  template <class A>
  uint64_t flows(uint32_t id) const;
  PoolUse use(uint32_t id) const;
  // Whether a packet to the address can only be a reply to a flow through one of the pools.
  bool is_local_address(const wire::Address& address) const {
    return addresses_.contains(address) || (!draining_.empty() && is_in_use(address));
  }

  // Whether a pool has the address with that port.
  bool has_port(const wire::Address& address, uint16_t port) const;

  // Whether flows have the address, with ports of that range as a pool had or has it.
  bool has_flows(const wire::Address& address, uint16_t first_port, uint16_t last_port) const;

 private:
  struct Edition {
    uint32_t pool = no_pool;
    PoolSettings settings;
    std::unique_ptr<PortPool<wire::Ipv4Address>> v4;
    std::unique_ptr<PortPool<wire::Ipv6Address>> v6;
    template <class A>
    PortPool<A>* of() const;
    uint64_t misses() const;
  };

  template <class A>
  void set_family(std::unique_ptr<PortPool<A>>& pool, const PoolSettings& settings);
  Edition& present(uint32_t id, const PoolSettings& settings);
  void forget_ended();
  void list_addresses();
  bool is_in_use(const wire::Address& address) const;

  RandomSource random_;
  uint16_t worker_, workers_;
  const core::MemorySource& memory_;
  std::unordered_map<uint32_t, Edition> editions_;
  std::unordered_map<uint32_t, uint32_t> present_;  // pool → edition
  uint32_t next_edition_ = 0;
  std::unordered_map<uint32_t, uint64_t> ended_misses_;       // pool → misses of editions that are forgotten
  std::unordered_set<wire::Address, AddressHash> addresses_;  // of all current editions
  std::unordered_set<wire::Address, AddressHash> draining_;   // in no pool any more; flows had them at the last change
};

template <>
inline PortPool<wire::Ipv4Address>* LocalPools::Edition::of() const {
  return v4.get();
}
template <>
inline PortPool<wire::Ipv6Address>* LocalPools::Edition::of() const {
  return v6.get();
}

template <class A>
PortPool<A>* LocalPools::find(uint32_t edition) {
  const auto found = editions_.find(edition);
  return found == editions_.end() ? nullptr : found->second.of<A>();
}

template <class A>
uint32_t LocalPools::claim(const LocalEndpoint<A>& local) {
  for (const auto& [pool, edition] : present_) {
    PortPool<A>* const places = find<A>(edition);
    if (places != nullptr && places->claim(local)) return edition;
  }
  return no_pool;
}

template <class A>
uint64_t LocalPools::flows(uint32_t id) const {
  uint64_t flows = 0;
  for (const auto& [number, edition] : editions_) {
    if (edition.pool != id || edition.template of<A>() == nullptr) continue;
    for (const auto& use : edition.template of<A>()->use()) flows += use.flows;
  }
  return flows;
}

}  // namespace sluice::director
