// SPDX-License-Identifier: Apache-2.0
// The live director as JavaScript configures and asks it. No packet passes through here.
#pragma once

#include <napi.h>

#include <memory>
#include <vector>

#include "binding/plan_step.h"
#include "engine/live_director.h"

namespace sluice::binding {

class LiveDirectorObject : public Napi::ObjectWrap<LiveDirectorObject> {
 public:
  static Napi::Function define(Napi::Env env);
  // ({ interfaces, cpus, flowLimit, fragmentLimit, statistics, serviceRows, crash state?: CrashState }), statistics and
  // serviceRows BigUint64Arrays over shared memory
  explicit LiveDirectorObject(const Napi::CallbackInfo& info);

 private:
  Napi::Value open(const Napi::CallbackInfo& info);  // () → what went wrong, or undefined
  // (steps) → "done"; or { problem, remedy, step }, `step` being the number of the step that is refused, if one is
  Napi::Value prepare(const Napi::CallbackInfo& info);
  Napi::Value commit(const Napi::CallbackInfo& info);    // ()
  Napi::Value abort(const Napi::CallbackInfo& info);     // ()
  Napi::Value restore(const Napi::CallbackInfo& info);   // () → how many flows came back
  Napi::Value start(const Napi::CallbackInfo& info);     // ()
  Napi::Value steal(const Napi::CallbackInfo& info);     // () → what went wrong, or undefined
  Napi::Value announce(const Napi::CallbackInfo& info);  // ()
  // (worker, cursor, most) → { rows, next }, `next` being the cursor of the next part, if there is one
  Napi::Value connections(const Napi::CallbackInfo& info);
  Napi::Value state(const Napi::CallbackInfo& info);  // () → ports, and how the host is kept away
  // ([{ port, mark, bytes }]) → what would become of the frames, or what went wrong
  Napi::Value explain(const Napi::CallbackInfo& info);
  Napi::Value port_towards(const Napi::CallbackInfo& info);  // (address) → the port's number, or undefined
  Napi::Value open_taps(const Napi::CallbackInfo& info);     // (filter) → false while others look
  Napi::Value take_tapped(const Napi::CallbackInfo& info);   // (most) → frames, and how many packets were missed
  Napi::Value close_taps(const Napi::CallbackInfo& info);    // ()
  Napi::Value close(const Napi::CallbackInfo& info);         // ()

  // The worker that the first argument numbers; else throws.
  engine::DirectorWorker* worker(const Napi::CallbackInfo& info);

  // In this order, so that on destruction threads end before the memory that they write is let go.
  Napi::Reference<Napi::TypedArray> words_, service_words_;
  Napi::ObjectReference crash_state_;
  std::unique_ptr<engine::StatisticsPage> page_;
  std::unique_ptr<engine::LiveDirector> live_director_;
  PlanNames names_, prepared_names_;  // of the plans in force, and of the one that is prepared as well
};

// Where in an area of service_rows.h each thing is.
Napi::Object service_rows_layout(Napi::Env env);

// () → what went wrong, or undefined
Napi::Value clean_host(const Napi::CallbackInfo& info);
// Loads the programs of stealing ahead of time.
Napi::Value prepare_stealing(const Napi::CallbackInfo& info);

}  // namespace sluice::binding
