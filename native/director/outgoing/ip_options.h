// SPDX-License-Identifier: Apache-2.0
// IPv4 options on the way through the director: what a host's stack does with them at input and when it forwards.
#pragma once

#include "wire/address.h"
#include "wire/bytes.h"

namespace sluice::director {

enum class OptionsVerdict : uint8_t {
  ok,
  malformed,     // an option's length or pointer cannot be
  source_route,  // loose or strict: refused, as hosts and routers do by default (RFC 6274 3.13.2.3)
};

// Looks through the options of an IPv4 header.
OptionsVerdict check_options(wire::Bytes options);

// Enters an address into a record-route option (RFC 791), where there is one with room. True when something changed:
// the header's checksum is the caller's to renew.
bool record_route(wire::MutableBytes options, wire::Ipv4Address address);

// What an answer of this host's to a packet with these options carries of them: the recorded route, with `address`
// entered, as hosts do (RFC 1122 3.2.2.6; errors as the kernel's). Writes at most `echoed_options_room` bytes, padded
// to whole words, and returns how many; 0: nothing is to be echoed.
inline constexpr size_t echoed_options_room = 40;
size_t echo_options(wire::Bytes options, wire::Ipv4Address address, uint8_t* to);
// The same for a segment that answers a packet with these options: the packet has come to `address` and recorded it
// before the answer records it.
size_t answered_options(wire::Bytes options, wire::Ipv4Address address, uint8_t* to);

}  // namespace sluice::director
