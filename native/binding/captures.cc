// SPDX-License-Identifier: Apache-2.0
#include "binding/captures.h"

#include <array>
#include <cmath>

#include "binding/capture_reader.h"
#include "binding/capture_writer.h"

namespace sluice::binding {

namespace {

// In the order of CaptureFault.
constexpr std::array<const char*, 5> fault_names{"truncated", "corrupt", "unsupported", "system", "misuse"};
static_assert(static_cast<size_t>(port::CaptureFault::misuse) + 1 == fault_names.size());

void throw_type(Napi::Env env, const std::string& message) {
  Napi::TypeError::New(env, message).ThrowAsJavaScriptException();
}

}  // namespace

void register_captures(Napi::Env env, Napi::Object exports) {
  exports.Set("CaptureReader", CaptureReader::define(env));
  exports.Set("CaptureWriter", CaptureWriter::define(env));
}

Napi::Object capture_failure(Napi::Env env, const port::CaptureError& error) {
  Napi::Object failure = Napi::Object::New(env);
  failure.Set("fault", fault_names[static_cast<size_t>(error.fault)]);
  failure.Set("offset", static_cast<double>(error.offset));
  failure.Set("problem", error.problem);
  failure.Set("remedy", error.remedy);
  failure.Set("errno", error.system_errno);
  failure.Set("syscall", error.system_call);
  return failure;
}

Napi::Object capture_failure(Napi::Env env, const char* system_call, int system_errno) {
  return capture_failure(env, {.fault = port::CaptureFault::system,
                               .offset = 0,
                               .problem = {},
                               .remedy = {},
                               .system_errno = system_errno,
                               .system_call = system_call});
}

std::optional<std::string> string_argument(const Napi::CallbackInfo& info, size_t index, const char* name) {
  if (info[index].IsString()) return info[index].As<Napi::String>().Utf8Value();
  throw_type(info.Env(), std::string(name) + " must be a string");
  return std::nullopt;
}

std::optional<uint32_t> uint32_argument(const Napi::CallbackInfo& info, size_t index, const char* name) {
  const double number = info[index].IsNumber() ? info[index].As<Napi::Number>().DoubleValue() : -1;
  if (number >= 0 && number <= UINT32_MAX && number == std::floor(number)) return static_cast<uint32_t>(number);
  throw_type(info.Env(), std::string(name) + " must be a whole number from 0 to 4294967295");
  return std::nullopt;
}

std::optional<uint64_t> uint64_argument(const Napi::CallbackInfo& info, size_t index, const char* name) {
  bool is_whole = false;
  const uint64_t value = info[index].IsBigInt() ? info[index].As<Napi::BigInt>().Uint64Value(&is_whole) : 0;
  if (is_whole) return value;
  throw_type(info.Env(), std::string(name) + " must be a bigint from 0 to 2^64-1");
  return std::nullopt;
}

std::optional<Napi::Uint8Array> bytes_argument(const Napi::CallbackInfo& info, size_t index, const char* name) {
  if (info[index].IsTypedArray() && info[index].As<Napi::TypedArray>().TypedArrayType() == napi_uint8_array) {
    return info[index].As<Napi::Uint8Array>();
  }
  throw_type(info.Env(), std::string(name) + " must be a Uint8Array");
  return std::nullopt;
}

}  // namespace sluice::binding
