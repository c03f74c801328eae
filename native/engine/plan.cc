// SPDX-License-Identifier: Apache-2.0
#include "engine/plan.h"

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
