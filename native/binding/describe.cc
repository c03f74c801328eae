// SPDX-License-Identifier: Apache-2.0
#include "binding/describe.h"

#include "binding/captures.h"
#include "wire/describe.h"

namespace sluice::binding {

Napi::Value describe(const Napi::CallbackInfo& info) {
  const auto frame = bytes_argument(info, 0, "frame");
  if (!frame) return info.Env().Undefined();
  return Napi::String::New(info.Env(), wire::describe({frame->Data(), frame->ByteLength()}));
}

}  // namespace sluice::binding
