// SPDX-License-Identifier: Apache-2.0
#include "binding/capture_reader.h"

#include <utility>

#include "binding/captures.h"

namespace sluice::binding {

namespace {

// Memory of a reader outside of JavaScript's heap. Reported, so that the garbage collector soon frees unused readers.
constexpr int64_t external_bytes = port::ByteWindow::capacity;

bool is_array(const Napi::Value& value, napi_typedarray_type type) {
  return value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == type;
}

}  // namespace

Napi::Function CaptureReader::define(Napi::Env env) {
  return DefineClass(env, "CaptureReader",
                     {
                         InstanceMethod<&CaptureReader::open>("open"),
                         InstanceMethod<&CaptureReader::read>("read"),
                         InstanceMethod<&CaptureReader::has_nanoseconds>("hasNanoseconds"),
                         InstanceMethod<&CaptureReader::close>("close"),
                     });
}

void CaptureReader::Finalize(Napi::Env env) {
  release(env);
}

Napi::Value CaptureReader::open(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto path = string_argument(info, 0, "path");
  if (!path) return env.Undefined();
  auto file = std::make_unique<OpenFile>();
  if (const int failed = file->source.open(*path)) return capture_failure(env, "open", failed);
  if (!file->reader.open()) return capture_failure(env, file->reader.error());
  const bool is_pcap = file->reader.format() == port::CaptureFormat::pcap;
  release(env);
  file_ = std::move(file);
  Napi::MemoryManagement::AdjustExternalMemory(env, external_bytes);
  return Napi::String::New(env, is_pcap ? "pcap" : "pcapng");
}

Napi::Value CaptureReader::read(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto data = bytes_argument(info, 0, "data");
  if (!data) return env.Undefined();
  if (data->ByteLength() < port::max_frame_bytes || !is_array(info[1], napi_biguint64_array) ||
      !is_array(info[2], napi_uint32_array) || !file_) {
    Napi::TypeError::New(env,
                         "read(data, times, fields) of an open capture takes at least 262144 bytes of data, a "
                         "BigUint64Array and a Uint32Array")
        .ThrowAsJavaScriptException();
    return env.Undefined();
  }
  auto times = info[1].As<Napi::BigUint64Array>();
  auto fields = info[2].As<Napi::Uint32Array>();
  const port::CaptureBatch batch{.data = {data->Data(), data->ByteLength()},
                                 .times = {times.Data(), times.ElementLength()},
                                 .fields = {fields.Data(), fields.ElementLength()}};
  const size_t packets = file_->batches.read(batch);
  if (file_->batches.failed()) return capture_failure(env, file_->reader.error());
  return Napi::Number::New(env, static_cast<double>(packets));
}

Napi::Value CaptureReader::has_nanoseconds(const Napi::CallbackInfo& info) {
  if (file_) return Napi::Boolean::New(info.Env(), file_->reader.has_nanoseconds());
  Napi::TypeError::New(info.Env(), "no capture is open").ThrowAsJavaScriptException();
  return info.Env().Undefined();
}

Napi::Value CaptureReader::close(const Napi::CallbackInfo& info) {
  release(info.Env());
  return info.Env().Undefined();
}

void CaptureReader::release(Napi::Env env) {
  if (!file_) return;
  file_.reset();
  Napi::MemoryManagement::AdjustExternalMemory(env, -external_bytes);
}

}  // namespace sluice::binding
