// SPDX-License-Identifier: Apache-2.0
// The steps of a plan (src/director/plan.ts), as values that several workers can carry out.
#pragma once

#include <cstdint>
#include <string_view>
#include <variant>
#include <vector>

#include "director/stages/director.h"

namespace sluice::engine {

struct AddService {
  director::ServiceKey key;
  director::ServiceSettings settings;
};
struct EditService {
  director::ServiceKey key;
  director::ServiceSettings settings;
};
struct RemoveService {
  director::ServiceKey key;
};
struct AddServer {
  director::ServiceKey key;
  director::DestinationSettings settings;
};
struct EditServer {
  director::ServiceKey key;
  director::DestinationSettings settings;
};
struct RemoveServer {
  director::ServiceKey key;
  wire::Address address;
  uint16_t port = 0;
};
// All servers of the service, from the head of its list on.
struct OrderServers {
  director::ServiceKey key;
  std::vector<director::DestinationSettings> servers;
};
struct ZeroCounters {
  director::ServiceKey key;
};
struct SetTimeouts {
  director::Timeouts timeouts;
};
struct SetSwitches {
  director::Switches switches;
};
// For all workers together.
struct SetLimits {
  uint32_t flows = 0, half_open = 0, fragments = 0;
};
// A pool without addresses means no pool.
struct SetPool {
  uint32_t id = 0;
  director::PoolSettings settings;
};
// The rules replace all earlier ones.
struct SetEgress {
  std::vector<director::EgressRule> rules;
};
struct SetMarks {
  std::vector<director::MarkRule> rules;
};

using PlanStep = std::variant<AddService, EditService, RemoveService, AddServer, EditServer, RemoveServer, OrderServers,
                              ZeroCounters, SetTimeouts, SetSwitches, SetLimits, SetPool, SetEgress, SetMarks>;

// Returns "done", or why the director has refused the step.
std::string_view carry_out(const PlanStep& step, director::Director& director);

std::string_view text_of(director::EditResult result);

// Splits a pool's step into steps that take a worker some tenths of a millisecond each: every new address brings a
// counter for each of its ports. `before`: the pool as it is; nullptr if there is none.
std::vector<PlanStep> in_small_steps(const SetPool& step, const director::PoolSettings* before);

}  // namespace sluice::engine
