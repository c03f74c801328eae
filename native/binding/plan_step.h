// SPDX-License-Identifier: Apache-2.0
// A step of a plan (src/lvs/plan.ts) as the director's edits.
#pragma once

#include <napi.h>

#include <map>
#include <string>

#include "lvs/director.h"

namespace sluice::binding {

// Pools and egress rules have names in a plan and numbers in the director.
class PlanNames {
 public:
  uint32_t pool(const std::string& name) {
    return name.empty() ? lvs::no_pool : pools_.try_emplace(name, static_cast<uint32_t>(pools_.size())).first->second;
  }
  std::map<std::string, std::vector<lvs::EgressRule>>& egress() { return egress_; }

 private:
  std::map<std::string, uint32_t> pools_;
  std::map<std::string, std::vector<lvs::EgressRule>> egress_;
};

// What names a service in a plan.
lvs::ServiceKey key_of(const Napi::Object& service);
// Carries the step out. Returns what went wrong, or "done"; "unknown-step" for an op that there is none of.
const char* carry_out(const Napi::Object& step, lvs::Director& director, PlanNames& names);

}  // namespace sluice::binding
