// SPDX-License-Identifier: Apache-2.0
// How the packets of a service's clients are divided among workers (bpf/steering.h).
#pragma once

#include "host/owned_traffic.h"

namespace sluice::host {

// A flow that a worker has, by the client's end and by the service that it is of.
struct PlacedFlow {
  wire::Address client;
  uint16_t client_port = 0;
  uint8_t protocol = 0;
  uint16_t worker = 0;
  bool is_marked = false;  // of a service by firewall mark; it has no address then
  wire::Address service;
  uint16_t service_port = 0;  // 0: every port
};

// What clients are divided by: bits of the 128 of a steal_address, and the port. The ordinary division is by all.
struct Division {
  uint32_t bits = 128;
  bool by_port = true;
  bool operator==(const Division&) const = default;
};
Division division_in(wire::Family family, const OwnedTraffic::Steering& steering);
Division stricter(const Division& a, const Division& b);
bpf::steal_steering steering_for(const Division& division);

// Whether packets that a rule of firewall marks fits may be of a service.
bool may_carry(const OwnedTraffic::Mark& mark, const OwnedTraffic::Part& service);

uint32_t worker_of(const bpf::steal_steering& steering, const PlacedFlow& flow, uint32_t workers);

}  // namespace sluice::host
