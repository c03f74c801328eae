// SPDX-License-Identifier: Apache-2.0
// What outlives a process, for JavaScript: the configuration in text, the last frames of workers that have crashed.
#pragma once

#include <napi.h>

#include "engine/keepsakes.h"

namespace sluice::binding {

class KeepsakesObject : public Napi::ObjectWrap<KeepsakesObject> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit KeepsakesObject(const Napi::CallbackInfo& info);

  engine::Keepsakes& keepsakes() { return keepsakes_; }

 private:
  Napi::Value configuration(const Napi::CallbackInfo& info);
  Napi::Value keep_configuration(const Napi::CallbackInfo& info);
  Napi::Value last_batches(const Napi::CallbackInfo& info);
  Napi::Value withdraw(const Napi::CallbackInfo& info);

  engine::Keepsakes keepsakes_;
  host::Descriptor configuration_;  // a memory file, once there is something in it
};

// [giving end, taking end]: descriptors for the children of this process.
Napi::Value keepsake_sockets(const Napi::CallbackInfo& info);

}  // namespace sluice::binding
