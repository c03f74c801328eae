// SPDX-License-Identifier: Apache-2.0
#include "director/stages/own_addresses.h"

#include "test/director/fixture.h"

using namespace sluice;
using namespace sluice::director;
using namespace sluice::test;

TEST_CASE("the director owns the addresses of services and pools that the host has not configured") {
  ServiceTable services{seeded(1), memory::process_memory(), nullptr, {}};
  LocalPools pools{seeded(1), 0, 1, memory::process_memory()};
  Transmitter transmitter(true, {});
  transmitter.set_route_table(Network().route_table());
  const OwnAddresses own(services, pools, transmitter);
  CHECK_FALSE(own.owns(address(vip4)));
  REQUIRE(services.add_service(tcp(), {}) == EditResult::done);
  REQUIRE(services.add_service(tcp(vip6), {}) == EditResult::done);
  pools.set(1, {.addresses = {address("10.0.2.200"), address("10.0.2.1")}});
  CHECK(own.owns(address(vip4)));
  CHECK(own.owns(address(vip6)));
  CHECK(own.owns(address("10.0.2.200")));
  CHECK_FALSE(own.owns(address("10.0.2.1")));  // s0 has it
  CHECK_FALSE(own.owns(address(server4)));
  REQUIRE(services.add_service(tcp("10.0.2.1"), {}) == EditResult::done);
  CHECK_FALSE(own.owns(address("10.0.2.1")));
}
