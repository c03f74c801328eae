// SPDX-License-Identifier: Apache-2.0
// Captures as JavaScript sees them: the classes CaptureReader and CaptureWriter. A fault of a file or of the system is
// returned as a plain object (see capture_failure). Only an argument of a wrong type is thrown.
#pragma once

#include <napi.h>

#include <cstdint>
#include <optional>
#include <string>

#include "port/capture.h"

namespace sluice::binding {

void register_captures(Napi::Env env, Napi::Object exports);

// {fault, offset, problem, remedy, errno, syscall}
Napi::Object capture_failure(Napi::Env env, const port::CaptureError& error);
Napi::Object capture_failure(Napi::Env env, const char* system_call, int system_errno);

// Arguments of a call. Nothing when the argument has another type or is out of range; then a TypeError is pending.
std::optional<std::string> string_argument(const Napi::CallbackInfo& info, size_t index, const char* name);
std::optional<uint32_t> uint32_argument(const Napi::CallbackInfo& info, size_t index, const char* name);
std::optional<uint64_t> uint64_argument(const Napi::CallbackInfo& info, size_t index, const char* name);
std::optional<Napi::Uint8Array> bytes_argument(const Napi::CallbackInfo& info, size_t index, const char* name);

}  // namespace sluice::binding
