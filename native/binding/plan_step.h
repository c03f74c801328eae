// SPDX-License-Identifier: Apache-2.0
// A step of a plan (src/director/plan.ts), from JavaScript's value to the engine's (engine/plan.h).
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
  std::map<std::string, std::vector<director::EgressRule>>& egress() { return egress_; }
  const std::map<std::string, std::vector<director::EgressRule>>& egress() const { return egress_; }

 private:
  std::map<std::string, uint32_t> pools_;
  std::map<std::string, std::vector<director::EgressRule>> egress_;
};

// What names a service in a plan.
director::ServiceKey key_of(const Napi::Object& service);
// Nothing where there is no such op.
std::optional<engine::PlanStep> step_of(const Napi::Object& step, PlanNames& names);

}  // namespace sluice::binding
