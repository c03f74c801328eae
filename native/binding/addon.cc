// SPDX-License-Identifier: Apache-2.0
// The addon's entry: what `src/native/addon.ts` loads.
#include <napi.h>

namespace {

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  exports.Set("napiVersion", Napi::Number::New(env, NAPI_VERSION));
  return exports;
}

}  // namespace

NODE_API_MODULE(sluice, initialise)
