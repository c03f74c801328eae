// SPDX-License-Identifier: Apache-2.0
// A packet as one line, as `tcpdump -n -t -S` prints it, for explanations, logs and tests.
//
// Differences from tcpdump 4.99: VLAN tags are named as with -e ("vlan 5, p 0, IP ..."); GUE (on its port) and the TOA
// option are decoded; application payloads are not; a malformed header is named by its reason in brackets.
#pragma once

#include <string>

#include "wire/bytes.h"

namespace sluice::wire {

// For an Ethernet frame.
std::string describe(Bytes frame);
// For a packet that begins with the network header.
std::string describe_ip(Bytes packet);

}  // namespace sluice::wire
