// SPDX-License-Identifier: Apache-2.0
// The receiving end of tunnels: JavaScript opens it, reads its state and closes it.
#pragma once

#include <napi.h>

#include <memory>

#include "decap/agent.h"

namespace sluice::binding {

class DecapObject : public Napi::ObjectWrap<DecapObject> {
 public:
  static Napi::Function define(Napi::Env env);
  // ({ device, interface, addresses, ipip, gre, guePort })
  explicit DecapObject(const Napi::CallbackInfo& info);

 private:
  Napi::Value open(const Napi::CallbackInfo& info);   // () → what went wrong, or undefined
  Napi::Value state(const Napi::CallbackInfo& info);  // () → { counts, overflows, isDeviceLost }
  Napi::Value close(const Napi::CallbackInfo& info);  // ()

  std::unique_ptr<decap::Agent> agent_;
};

}  // namespace sluice::binding
