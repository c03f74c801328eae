// SPDX-License-Identifier: Apache-2.0
#include "engine/plan.h"

#include <algorithm>

namespace sluice::engine {

namespace {

using director::Director, director::EditResult;

EditResult carry(const AddService& step, Director& director) {
  return director.services().add_service(step.key, step.settings);
}
EditResult carry(const EditService& step, Director& director) {
  return director.services().edit_service(step.key, step.settings);
}
EditResult carry(const RemoveService& step, Director& director) {
  return director.remove_service(step.key);
}
EditResult carry(const AddServer& step, Director& director) {
  return director.services().add_destination(step.key, step.settings);
}
EditResult carry(const EditServer& step, Director& director) {
  return director.services().edit_destination(step.key, step.settings);
}
EditResult carry(const RemoveServer& step, Director& director) {
  return director.remove_destination(step.key, step.address, step.port);
}
EditResult carry(const OrderServers& step, Director& director) {
  return director.services().order_destinations(step.key, step.servers);
}
EditResult carry(const ZeroCounters& step, Director& director) {
  director::Service* const service = director.services().find(step.key);
  if (service == nullptr) return EditResult::no_such_service;
  director.zero_counters(*service);
  return EditResult::done;
}
EditResult carry(const SetTimeouts& step, Director& director) {
  director.set_timeouts(step.timeouts);
  return EditResult::done;
}
EditResult carry(const SetSwitches& step, Director& director) {
  director.set_switches(step.switches);
  return EditResult::done;
}
EditResult carry(const SetLimits& step, Director& director) {
  director.set_flow_limit(step.flows);
  director.set_half_open_limit(step.half_open);
  return EditResult::done;
}
EditResult carry(const SetPool& step, Director& director) {
  director.set_pool(step.id, step.settings);
  return EditResult::done;
}
EditResult carry(const SetEgress& step, Director& director) {
  director.set_egress(step.rules);
  return EditResult::done;
}
EditResult carry(const SetMarks& step, Director& director) {
  director.set_marks(step.rules);
  return EditResult::done;
}

}  // namespace

std::string_view carry_out(const PlanStep& step, Director& director) {
  return text_of(std::visit([&](const auto& one) { return carry(one, director); }, step));
}

// The first step has the addresses that stay. If none stays, it has the first new one: a pool without addresses means
// no pool.
std::vector<PlanStep> in_small_steps(const SetPool& step, const director::PoolSettings* before) {
  const director::PoolSettings& wanted = step.settings;
  const bool keeps_ports =
      before != nullptr && before->first_port == wanted.first_port && before->last_port == wanted.last_port;
  const auto stays = [&](const wire::Address& address) {
    return keeps_ports &&
           std::find(before->addresses.begin(), before->addresses.end(), address) != before->addresses.end();
  };
  std::vector<bool> is_new;
  for (const wire::Address& address : wanted.addresses) is_new.push_back(!stays(address));
  const auto count = static_cast<size_t>(std::count(is_new.begin(), is_new.end(), true));
  std::vector<PlanStep> steps;
  for (size_t added = count == is_new.size() ? std::min<size_t>(count, 1) : 0; added <= count; added++) {
    SetPool part{step.id, {{}, wanted.first_port, wanted.last_port}};
    size_t left = added;
    for (size_t i = 0; i < is_new.size(); i++) {
      if (is_new[i] && left == 0) continue;
      left -= is_new[i] ? 1 : 0;
      part.settings.addresses.push_back(wanted.addresses[i]);
    }
    steps.push_back(std::move(part));
  }
  return steps;
}

std::string_view text_of(EditResult result) {
  switch (result) {
    case EditResult::done:
      return "done";
    case EditResult::service_exists:
      return "service-exists";
    case EditResult::no_such_service:
      return "no-such-service";
    case EditResult::destination_exists:
      return "destination-exists";
    case EditResult::no_such_destination:
      return "no-such-destination";
    case EditResult::unknown_scheduler:
      return "unknown-scheduler";
    case EditResult::family_mismatch:
      return "family-mismatch";
  }
  return "unknown";
}

}  // namespace sluice::engine
