// SPDX-License-Identifier: Apache-2.0
// What concerns the process itself, for JavaScript: rights that it gives up, and what its service manager is told.
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

// tellServiceManager(socket, state): whether it was sent
Napi::Value tell_service_manager(const Napi::CallbackInfo& info);

}  // namespace sluice::binding
