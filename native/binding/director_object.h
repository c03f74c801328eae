// SPDX-License-Identifier: Apache-2.0
// A director that JavaScript feeds: the replay's and the library's. (Live traffic never passes through JavaScript.)
#pragma once

#include <napi.h>

#include <memory>
#include <vector>

#include "binding/plan_step.h"
#include "lvs/director.h"

namespace sluice::binding {

class DirectorObject : public Napi::ObjectWrap<DirectorObject> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit DirectorObject(const Napi::CallbackInfo& info);  // ({ flowLimit, seed, start: bigint })

 private:
  Napi::Value set_surroundings(const Napi::CallbackInfo& info);  // ({ ports, routes, neighbours })
  Napi::Value apply(const Napi::CallbackInfo& info);             // (step) → "done", or what is wrong
  // (port, frame: Uint8Array, time: bigint, { mark, partial, segmentation, segmentSize, explain }) → decision
  Napi::Value receive(const Napi::CallbackInfo& info);
  Napi::Value announce(const Napi::CallbackInfo& info);     // () → frames
  Napi::Value advance(const Napi::CallbackInfo& info);      // (time: bigint)
  Napi::Value connections(const Napi::CallbackInfo& info);  // (time: bigint) → rows
  Napi::Value services(const Napi::CallbackInfo& info);     // () → services with counts
  Napi::Value counts(const Napi::CallbackInfo& info);       // () → packets by reason

  Napi::Object describe(Napi::Env env, const lvs::Decision& decision);
  Napi::Array transmitted(Napi::Env env);
  lvs::Frame copy_in(Napi::Uint8Array bytes);

  std::unique_ptr<lvs::Director> director_;
  PlanNames names_;
  lvs::TransmitQueue out_;
  std::vector<uint8_t> buffer_;
};

// The table of reasons: [{ name, verdict, meaning }].
Napi::Array reason_table(Napi::Env env);

}  // namespace sluice::binding
