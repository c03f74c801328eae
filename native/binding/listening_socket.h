// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <napi.h>

namespace sluice::binding {

// listenUnix(path) → the descriptor. The caller closes it.
Napi::Value listen_unix(const Napi::CallbackInfo& info);

}  // namespace sluice::binding
