// SPDX-License-Identifier: Apache-2.0
// Lets a process give up rights, for JavaScript.
#pragma once

#include <napi.h>

namespace sluice::binding {

// confine({ allowExec, allowBpf }): undefined, or a failure.
Napi::Value confine(const Napi::CallbackInfo& info);
// keepFilesFromPrograms()
Napi::Value keep_files_from_programs(const Napi::CallbackInfo& info);
// keepCapabilitiesFromPrograms()
Napi::Value keep_capabilities_from_programs(const Napi::CallbackInfo& info);
// stopBlocking(descriptor)
Napi::Value stop_blocking(const Napi::CallbackInfo& info);

}  // namespace sluice::binding
