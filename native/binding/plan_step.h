// SPDX-License-Identifier: Apache-2.0
// Converts a step of a plan (src/director/plan.ts) from a JavaScript value to the engine's type (engine/plan.h).
#pragma once

#include <napi.h>

#include <map>
#include <optional>
#include <string>

#include "engine/plan.h"

namespace sluice::binding {

// Pools and egress rules have names in a plan and numbers in the director.
class PlanNames {
 public:
  uint32_t pool(const std::string& name) {
    return name.empty() ? director::no_pool
                        : pools_.try_emplace(name, static_cast<uint32_t>(pools_.size())).first->second;
  }
  // By name, those that were removed too.
  const std::map<std::string, uint32_t>& pools() const { return pools_; }
  std::map<std::string, std::vector<director::EgressRule>>& egress() { return egress_; }
  const std::map<std::string, std::vector<director::EgressRule>>& egress() const { return egress_; }

 private:
  std::map<std::string, uint32_t> pools_;
  std::map<std::string, std::vector<director::EgressRule>> egress_;
};

// The key by which a plan names a service.
director::ServiceKey key_of(const Napi::Object& service);
// Nothing if the op is unknown.
std::optional<engine::PlanStep> step_of(const Napi::Object& step, PlanNames& names);

}  // namespace sluice::binding
