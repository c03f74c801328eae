// SPDX-License-Identifier: Apache-2.0
// Which services are steered in one way, and which worker has a client's packets (bpf/steering.h).
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

// Gives the tuples of `tables`, and services by firewall mark, their steering and their groups.
void steer(StealTables& tables, const OwnedTraffic& owned_traffic);

// The group and steering of a flow. nullptr for one whose service is gone.
struct FlowSteering {
  const bpf::steal_steerings* steerings = nullptr;
  uint32_t group = 0;
};
FlowSteering steering_of(const StealTables& tables, const PlacedFlow& flow);
uint32_t worker_of(const bpf::steal_steering& steering, const PlacedFlow& flow, uint32_t workers);

}  // namespace sluice::host
