// SPDX-License-Identifier: Apache-2.0
// What outlives a process, for JavaScript: the configuration as texts, and the last frames of crashed workers.
#pragma once

#include <napi.h>

#include "engine/crash_state.h"
#include "engine/kept_texts.h"

namespace sluice::binding {

class CrashStateObject : public Napi::ObjectWrap<CrashStateObject> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit CrashStateObject(const Napi::CallbackInfo& info);

  engine::CrashState& crash_state() { return crash_state_; }

 private:
  Napi::Value configuration(const Napi::CallbackInfo& info);
  Napi::Value keep_configuration(const Napi::CallbackInfo& info);
  Napi::Value extend_configuration(const Napi::CallbackInfo& info);
  Napi::Value last_batches(const Napi::CallbackInfo& info);
  Napi::Value take_over(const Napi::CallbackInfo& info);
  Napi::Value withdraw(const Napi::CallbackInfo& info);

  engine::CrashState crash_state_;
  engine::KeptTexts kept_;  // what was given
};

// [giving end, taking end]: descriptors for the children of this process.
Napi::Value crash_state_sockets(const Napi::CallbackInfo& info);

}  // namespace sluice::binding
