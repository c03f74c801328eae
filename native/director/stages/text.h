// SPDX-License-Identifier: Apache-2.0
// What the director's explanations call things.
#pragma once

#include <string>
#include <string_view>

#include "director/flows/flow.h"
#include "director/services/service.h"
#include "wire/address.h"

namespace sluice::director {

// "10.0.0.1:80", "[2001:db8::1]:80"
std::string to_text(const wire::Address& address, uint16_t port);
// "tcp 10.0.0.1:80", "fwmark 7"
std::string to_text(const ServiceKey& key);
std::string_view protocol_text(uint8_t protocol);
// "nat", "fullnat", …
std::string_view mode_text(Forwarding forwarding);

template <class A>
std::string to_text(const Endpoints<A>& e) {
  return to_text(wire::Address(e.source), e.source_port) + " > " +
         to_text(wire::Address(e.destination), e.destination_port);
}

}  // namespace sluice::director
