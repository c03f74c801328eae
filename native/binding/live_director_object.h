// SPDX-License-Identifier: Apache-2.0
// The live director: JavaScript configures it and reads its state. No packet passes through here.
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
  // ({ interfaces, cpus, flowLimit, fragmentLimit, statistics, serviceRows, crashState?: CrashState }); statistics and
  // serviceRows are BigUint64Arrays over shared memory
  explicit LiveDirectorObject(const Napi::CallbackInfo& info);

 private:
  Napi::Value open(const Napi::CallbackInfo& info);  // () → what went wrong, or undefined
  // (steps) → "done"; or { problem, remedy, step }: `step` is the number of the refused step, if there is one
  Napi::Value prepare(const Napi::CallbackInfo& info);
  Napi::Value commit(const Napi::CallbackInfo& info);     // ()
  Napi::Value abort(const Napi::CallbackInfo& info);      // ()
  Napi::Value restore(const Napi::CallbackInfo& info);    // () → how many flows came back
  Napi::Value start(const Napi::CallbackInfo& info);      // ()
  Napi::Value steal(const Napi::CallbackInfo& info);      // () → what went wrong, or undefined
  Napi::Value take_over(const Napi::CallbackInfo& info);  // () → what went wrong, or undefined
  Napi::Value discard(const Napi::CallbackInfo& info);    // ()
  Napi::Value announce(const Napi::CallbackInfo& info);   // ()
  // (worker, cursor, most, filter, is only the count wanted?) → { count, rows, next }: `next` is the cursor of the next
  // part, if there is one
  Napi::Value connections(const Napi::CallbackInfo& info);
  Napi::Value end_connections(const Napi::CallbackInfo& info);
  Napi::Value occupancy(const Napi::CallbackInfo& info);  // (worker) → what flows have taken of its tables and pools
  Napi::Value state(const Napi::CallbackInfo& info);      // () → ports, and how packets are stolen from the host
  // ([{ port, mark, bytes }]) → what would happen to the frames, or what went wrong
  Napi::Value explain(const Napi::CallbackInfo& info);
  Napi::Value next_hop(const Napi::CallbackInfo& info);     // (address) → { state, port, address, mac }
  Napi::Value open_taps(const Napi::CallbackInfo& info);    // (filter) → false while another reader has the taps
  Napi::Value take_tapped(const Napi::CallbackInfo& info);  // (most) → frames, and how many packets were missed
  Napi::Value close_taps(const Napi::CallbackInfo& info);   // ()
  Napi::Value close(const Napi::CallbackInfo& info);        // ()

  // The worker whose number is the first argument; throws if there is none.
  engine::DirectorWorker* worker(const Napi::CallbackInfo& info);

  // The order matters: on destruction the threads must end before the memory that they write is released.
  Napi::Reference<Napi::TypedArray> words_, service_words_;
  Napi::ObjectReference crash_state_;
  std::unique_ptr<engine::StatisticsPage> page_;
  std::unique_ptr<engine::LiveDirector> live_director_;
  PlanNames names_, prepared_names_;  // of the plan in force; of the plan in force and the prepared one
};

// Where each value lies in an area of service_rows.h.
Napi::Object service_rows_layout(Napi::Env env);

// () → what went wrong, or undefined
Napi::Value clean_host(const Napi::CallbackInfo& info);
// Loads the BPF programs of stealing before they are needed.
Napi::Value prepare_stealing(const Napi::CallbackInfo& info);

}  // namespace sluice::binding
