// SPDX-License-Identifier: Apache-2.0
// What a network device says of itself.
#pragma once

#include <cstdint>
#include <string>

namespace sluice::port {

struct DeviceFacts {
  uint32_t mtu = 1500;
  uint32_t receive_queues = 1;  // 1 as well where the driver does not tell
  bool strips_tags = false;     // takes 802.1Q tags out of frames before a program in the driver sees them
};

// Of an interface of the calling thread's network namespace. What cannot be found out is as above.
DeviceFacts device_facts(const std::string& interface);

}  // namespace sluice::port
