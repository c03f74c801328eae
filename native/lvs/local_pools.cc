// SPDX-License-Identifier: Apache-2.0
#include "lvs/local_pools.h"

namespace sluice::lvs {

namespace {

template <class A>
A address_as(const wire::Address& address) {
  return A::load(address.bytes.data());
}

template <class A>
void set_family(std::unique_ptr<PortPool<A>>& pool, const PoolSettings& settings, const RandomSource& random) {
  std::vector<A> addresses;
  for (const wire::Address& address : settings.addresses) {
    if (address.family == A::family) addresses.push_back(address_as<A>(address));
  }
  if (pool) {
    pool->set_addresses(addresses);
  } else if (!addresses.empty()) {
    PortPoolOptions options;
    options.first_port = settings.first_port;
    options.last_port = settings.last_port;
    pool = std::make_unique<PortPool<A>>(addresses, options, random);
  }
}

}  // namespace

void LocalPools::set(uint32_t id, const PoolSettings& settings) {
  Pool& pool = pools_[id];
  set_family(pool.v4, settings, random_);
  set_family(pool.v6, settings, random_);
  std::erase_if(addresses_, [&](const auto& entry) { return entry.second == id; });
  for (const wire::Address& address : settings.addresses) addresses_[address] = id;
}

}  // namespace sluice::lvs
