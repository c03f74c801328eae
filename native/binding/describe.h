// SPDX-License-Identifier: Apache-2.0
// A frame as a line of text, for JavaScript.
#pragma once

#include <napi.h>

namespace sluice::binding {

Napi::Value describe(const Napi::CallbackInfo& info);  // (frame: Uint8Array) → as wire/describe.h prints it

}  // namespace sluice::binding
