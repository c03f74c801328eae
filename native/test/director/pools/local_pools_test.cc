// SPDX-License-Identifier: Apache-2.0
#include "director/pools/local_pools.h"

#include <doctest/doctest.h>

#include <random>

#include "memory/mapped_memory.h"

namespace sluice::director {
namespace {

using wire::Ipv4Address;

constexpr uint32_t pool = 7;
constexpr Ipv4Address first{0x0a000001}, second{0x0a000002};
constexpr RemoteEndpoint<Ipv4Address> remote{{0x01010101}, 443, 6};

struct Pools {
  FlowTable<Ipv4Address> table{{.limit = 1 << 10, .seed = {1, 2, 3, 4}, .memory = &memory::process_memory()}};
  LocalPools pools{[random = std::mt19937(1)]() mutable { return static_cast<uint32_t>(random()); }, 0, 1,
                   memory::process_memory()};

  // A flow to `remote`; nullptr if no place was free.
  Flow<Ipv4Address>* open() {
    const auto local = pools.find<Ipv4Address>(pools.edition(pool))->allocate(table, remote);
    if (!local) return nullptr;
    Flow<Ipv4Address> flow;
    flow.forward = {{client++}, remote.address, 1, remote.port};
    flow.reverse = {remote.address, local->address, remote.port, local->port};
    flow.protocol = remote.protocol;
    flow.flags = flow_has_reverse;
    return table.insert(flow);
  }

  uint32_t client = 0;
};

TEST_CASE("a pool says by address how many ports flows have, and how many are free") {
  Pools one;
  one.pools.set(pool, {.addresses = {first}, .first_port = 5000, .last_port = 5003});
  one.open();
  one.open();
  const PoolUse use = one.pools.use(pool);
  REQUIRE(use.addresses.size() == 1);
  CHECK(use.addresses[0].address == wire::Address(first));
  CHECK(use.addresses[0].flows == 2);
  CHECK(use.addresses[0].used_ports == 2);
  CHECK(use.addresses[0].free_ports == 2);
  CHECK(use.misses == 0);
}

TEST_CASE("an address that has left its pool has no free ports, and is listed until its flows have ended") {
  Pools one;
  one.pools.set(pool, {.addresses = {first}, .first_port = 5000, .last_port = 5003});
  const uint32_t edition = one.pools.edition(pool);
  Flow<Ipv4Address>* const flow = one.open();
  one.pools.set(pool, {.addresses = {second}, .first_port = 5000, .last_port = 5003});
  CHECK(one.pools.use(pool).addresses.size() == 2);
  for (const auto& local : one.pools.use(pool).addresses) {
    CHECK(local.free_ports == (local.address == wire::Address(first) ? 0 : 4));
  }
  one.pools.find<Ipv4Address>(edition)->release(remote, {flow->local(), flow->local_port()});
  one.table.erase(*flow);
  CHECK(one.pools.use(pool).addresses.size() == 1);
}

TEST_CASE("the misses of a pool stay when its range of ports changes, and when it is removed") {
  Pools one;
  one.pools.set(pool, {.addresses = {first}, .first_port = 5000, .last_port = 5000});
  const uint32_t edition = one.pools.edition(pool);
  Flow<Ipv4Address>* const flow = one.open();
  REQUIRE(flow != nullptr);
  CHECK(one.open() == nullptr);
  CHECK(one.pools.use(pool).misses == 1);
  CHECK(one.pools.use(pool).fullest == 1);
  one.pools.set(pool, {.addresses = {first}, .first_port = 6000, .last_port = 6003});
  CHECK(one.pools.use(pool).misses == 1);
  CHECK(one.pools.use(pool).fullest == 0);
  one.pools.find<Ipv4Address>(edition)->release(remote, {flow->local(), flow->local_port()});
  one.table.erase(*flow);
  one.pools.set(pool, {});
  CHECK(one.pools.find<Ipv4Address>(edition) == nullptr);
  CHECK(one.pools.use(pool).misses == 1);
  CHECK(one.pools.use(pool + 1).misses == 0);
}

}  // namespace
}  // namespace sluice::director
