// SPDX-License-Identifier: Apache-2.0
// The pools of local addresses, by number: FULLNAT services and egress rules name them.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "lvs/port_pool.h"

namespace sluice::lvs {

struct PoolSettings {
  std::vector<wire::Address> addresses;  // of either family
  uint16_t first_port = 1024, last_port = 65535;
};

class LocalPools {
 public:
  explicit LocalPools(RandomSource random) : random_(std::move(random)) {}

  // A new pool, or new addresses for one that is there: flows keep what they have.
  void set(uint32_t id, const PoolSettings& settings);

  // nullptr: there is no such pool, or it has no address of that family.
  template <class A>
  PortPool<A>* find(uint32_t id);
  // Whether a packet to the address can only be a reply to a flow through one of the pools.
  bool is_local_address(const wire::Address& address) const { return addresses_.contains(address); }

 private:
  struct Pool {
    std::unique_ptr<PortPool<wire::Ipv4Address>> v4;
    std::unique_ptr<PortPool<wire::Ipv6Address>> v6;
  };
  RandomSource random_;
  std::unordered_map<uint32_t, Pool> pools_;
  std::unordered_map<wire::Address, uint32_t, AddressHash> addresses_;  // → pool
};

template <>
inline PortPool<wire::Ipv4Address>* LocalPools::find(uint32_t id) {
  const auto found = pools_.find(id);
  return found == pools_.end() ? nullptr : found->second.v4.get();
}
template <>
inline PortPool<wire::Ipv6Address>* LocalPools::find(uint32_t id) {
  const auto found = pools_.find(id);
  return found == pools_.end() ? nullptr : found->second.v6.get();
}

}  // namespace sluice::lvs
