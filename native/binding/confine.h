// SPDX-License-Identifier: Apache-2.0
// What a process gives up, for JavaScript.
#pragma once

#include <napi.h>

namespace sluice::binding {

// confine({ allowExec, allowBpf }): undefined, or a failure.
Napi::Value confine(const Napi::CallbackInfo& info);

}  // namespace sluice::binding
