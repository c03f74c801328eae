// SPDX-License-Identifier: Apache-2.0
// The interface of every scheduler: one file each in schedulers/, one abstract test for all of them.
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

// What a scheduler may look at when a new flow asks for a real server.
struct ScheduleRequest {
  wire::Address client;
  wire::Address virtual_address;
  uint16_t client_port = 0;
  uint16_t virtual_port = 0;
  uint8_t protocol = 0;
  Time now = 0;
};

// Uniform 32-bit numbers; injected so that a replay repeats itself.
using RandomSource = std::function<uint32_t()>;

class Scheduler {
 public:
  virtual ~Scheduler() = default;

  // The real server for a new flow; nullptr where none will do. Says its reasons to `trace` unless that is nullptr.
  virtual Destination* pick(const ScheduleRequest& request, Trace* trace) = 0;

  // The service's list or a weight or threshold in it has changed; called after the change, with the list as it now is.
  // `removed` is the server that left, nullptr otherwise.
  virtual void destinations_changed(const Destination* removed) = 0;

  // A server of the list has other counts of flows now, or its overload flag has turned.
  virtual void load_changed(const Destination& /*server*/) {}
};

struct SchedulerContext {
  const Destinations& destinations;  // outlives the scheduler
  uint8_t flags = 0;                 // SchedulerFlag
  RandomSource random;
};

// nullptr for a name that is not known. scheduler_names() is what error messages and the schema list.
std::unique_ptr<Scheduler> make_scheduler(std::string_view name, SchedulerContext context);
std::span<const std::string_view> scheduler_names();

}  // namespace sluice::director
