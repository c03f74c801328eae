// SPDX-License-Identifier: Apache-2.0
#include "host/tun_device.h"

#include <linux/if_tun.h>

#include "namespace.h"

using namespace sluice;
using test::address;

TEST_CASE("a TUN device that the process before has made and not set up is set up by the next process") {
  if (!test::is_root()) return;
  const test::Namespaces namespaces;
  const host::Descriptor held(open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  REQUIRE(held);
  ifreq request{};
  std::strncpy(request.ifr_name, "before", sizeof request.ifr_name - 1);
  request.ifr_flags = static_cast<short>(IFF_TUN | IFF_NO_PI | IFF_VNET_HDR);
  REQUIRE(ioctl(held.get(), TUNSETIFF, &request) == 0);

  // The third process finds the addresses of the second one.
  for (int process = 2; process <= 3; process++) {
    host::TunDevice device;
    host::Failure failure;
    REQUIRE_MESSAGE(device.open("next", {address("10.9.9.9"), address("2001:db8:99::9")}, failure, held.get()),
                    failure.message);
    CHECK(device.index() == if_nametoindex("before"));
    CHECK(test::output("ip -brief address show dev before").find("10.9.9.9") != std::string::npos);
    const auto frame = test::ethernet({}).ipv4({.source = "10.9.0.2", .destination = "10.9.9.9"}).udp({}).build();
    CHECK(device.write({.packet = wire::Bytes(frame).subspan(14)}));
  }
}
