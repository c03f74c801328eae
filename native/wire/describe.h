// SPDX-License-Identifier: Apache-2.0
// A packet as one line, as `tcpdump -n -t -S` prints it: for explanations, logs and tests.
//
// What differs from tcpdump 4.99: VLAN tags are named as with -e ("vlan 5, p 0, IP ..."), GUE (on its port) and the TOA
// option are decoded, application payloads are not, and what is malformed is named by its reason in brackets.
#pragma once

#include <string>

#include "wire/bytes.h"

namespace sluice::wire {

// Of an Ethernet frame.
std::string describe(Bytes frame);
// From the network header on.
std::string describe_ip(Bytes packet);

}  // namespace sluice::wire
