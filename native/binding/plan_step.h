// SPDX-License-Identifier: Apache-2.0
// A step of a plan (src/director/plan.ts) as the director's edits.
#pragma once

#include <napi.h>

#include <map>
#include <string>

#include "director/stages/director.h"

namespace sluice::binding {

// Pools and egress rules have names in a plan and numbers in the director.
class PlanNames {
 public:
  uint32_t pool(const std::string& name) {
    return name.empty() ? director::no_pool
                        : pools_.try_emplace(name, static_cast<uint32_t>(pools_.size())).first->second;
  }
  std::map<std::string, std::vector<director::EgressRule>>& egress() { return egress_; }

 private:
  std::map<std::string, uint32_t> pools_;
  std::map<std::string, std::vector<director::EgressRule>> egress_;
};

// What names a service in a plan.
director::ServiceKey key_of(const Napi::Object& service);
// Carries the step out. Returns what went wrong, or "done"; "unknown-step" for an op that there is none of.
const char* carry_out(const Napi::Object& step, director::Director& director, PlanNames& names);

}  // namespace sluice::binding
