// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <napi.h>

namespace sluice::binding {

// listenUnix(path): the descriptor, which is the caller's to close.
Napi::Value listen_unix(const Napi::CallbackInfo& info);

}  // namespace sluice::binding
