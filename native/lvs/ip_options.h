// SPDX-License-Identifier: Apache-2.0
// IPv4 options on the way through the director: what a host's stack does with them at input and when it forwards.
#pragma once

#include "wire/address.h"
#include "wire/bytes.h"

namespace sluice::lvs {

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

}  // namespace sluice::lvs
