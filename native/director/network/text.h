// SPDX-License-Identifier: Apache-2.0
// The text of addresses and protocols in explanations.
#pragma once

#include <string>
#include <string_view>

#include "wire/address.h"

namespace sluice::director {

// "10.0.0.1:80", "[2001:db8::1]:80"
std::string to_text(const wire::Address& address, uint16_t port);
// "tcp", "udp", …
std::string_view protocol_text(uint8_t protocol);

}  // namespace sluice::director
