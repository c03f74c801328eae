// SPDX-License-Identifier: Apache-2.0
// What a host's stack does with IPv4 options: at input, and when it forwards or answers a packet.
#pragma once

#include "wire/address.h"
#include "wire/bytes.h"

namespace sluice::director {

enum class OptionsVerdict : uint8_t {
  ok,
  malformed,     // an option's length or pointer is impossible
  source_route,  // loose or strict: refused, as hosts and routers do by default (RFC 6274 3.13.2.3)
};

// Checks the options of an IPv4 header.
OptionsVerdict check_options(wire::Bytes options);

// Adds an address to a record-route option (RFC 791), if there is one with room. True if something changed: then the
// caller must update the header's checksum.
bool record_route(wire::MutableBytes options, wire::Ipv4Address address);

// Writes the options that this host's answer to a packet carries: the recorded route with `address` added, as hosts do
// (RFC 1122 3.2.2.6; for errors as in the kernel). Writes at most `echoed_options_room` bytes, padded to whole words,
// and returns their number; 0: no options.
inline constexpr size_t echoed_options_room = 40;
size_t echo_options(wire::Bytes options, wire::Ipv4Address address, uint8_t* to);
// As echo_options(), for a segment that answers a packet: the packet has recorded `address` on arrival, and the answer
// records it again.
size_t answered_options(wire::Bytes options, wire::Ipv4Address address, uint8_t* to);

}  // namespace sluice::director
