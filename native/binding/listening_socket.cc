// SPDX-License-Identifier: Apache-2.0
#include "binding/listening_socket.h"

#include "host/listening_socket.h"

namespace sluice::binding {

Napi::Value listen_unix(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  host::Failure failure;
  host::Descriptor socket = host::listen_unix(info.Length() > 0 ? info[0].ToString().Utf8Value() : "", failure);
  if (socket) return Napi::Number::New(env, socket.release());
  Napi::Error::New(env, failure.message).ThrowAsJavaScriptException();
  return env.Undefined();
}

}  // namespace sluice::binding
