// SPDX-License-Identifier: Apache-2.0
// The interface of all schedulers. Each scheduler has a file in schedulers/; one abstract test covers all of them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>

#include "core/time.h"
#include "director/flows/trace.h"
#include "director/services/service.h"
#include "wire/address.h"

namespace sluice::director {

// What a scheduler may use to choose a real server for a new flow.
struct ScheduleRequest {
  wire::Address client;
  wire::Address virtual_address;
  uint16_t client_port = 0;
  uint16_t virtual_port = 0;
  uint8_t protocol = 0;
  Time now = 0;
};

// Uniform 32-bit numbers. Injected, so that a replay repeats itself.
using RandomSource = std::function<uint32_t()>;

class Scheduler {
 public:
  virtual ~Scheduler() = default;

  // The real server for a new flow; nullptr if none is usable. Records its reasons in `trace` unless that is nullptr.
  virtual Destination* pick(const ScheduleRequest& request, Trace* trace) = 0;

  // The service's list, or a weight or threshold in it, has changed. Called after the change. `removed` is the server
  // that was removed, or nullptr.
  virtual void destinations_changed(const Destination* removed) = 0;

  // The number of flows of a server in the list has changed, or its overload flag.
  virtual void load_changed(const Destination& /*server*/) {}
};

struct SchedulerContext {
  const Destinations& destinations;  // outlives the scheduler
  uint8_t flags = 0;                 // SchedulerFlag
  RandomSource random;
};

// nullptr for an unknown name. Error messages and the schema list scheduler_names().
std::unique_ptr<Scheduler> make_scheduler(std::string_view name, SchedulerContext context);
std::span<const std::string_view> scheduler_names();

}  // namespace sluice::director
