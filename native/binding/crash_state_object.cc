// SPDX-License-Identifier: Apache-2.0
#include "binding/crash_state_object.h"

#include <string>

#include "engine/flight_recorder.h"
#include "engine/statistics.h"

namespace sluice::binding {

namespace {

int number_at(const Napi::CallbackInfo& info, size_t place) {
  return info.Length() > place && info[place].IsNumber() ? info[place].As<Napi::Number>().Int32Value() : -1;
}

std::string text_of(const Napi::CallbackInfo& info) {
  return info.Length() > 0 ? info[0].ToString().Utf8Value() : std::string();
}

}  // namespace

Napi::Function CrashStateObject::define(Napi::Env env) {
  return DefineClass(env, "CrashState",
                     {InstanceMethod<&CrashStateObject::configuration>("configuration"),
                      InstanceMethod<&CrashStateObject::keep_configuration>("keepConfiguration"),
                      InstanceMethod<&CrashStateObject::extend_configuration>("extendConfiguration"),
                      InstanceMethod<&CrashStateObject::last_batches>("lastBatches"),
                      InstanceMethod<&CrashStateObject::take_over>("takeOver"),
                      InstanceMethod<&CrashStateObject::withdraw>("withdraw")});
}

CrashStateObject::CrashStateObject(const Napi::CallbackInfo& info)
    : ObjectWrap(info), crash_state_(number_at(info, 0), number_at(info, 1)) {
  crash_state_.take();
}

Napi::Value CrashStateObject::configuration(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const int file = crash_state_.taken(engine::CrashItem::configuration, 0);
  const auto texts = file < 0 ? std::nullopt : engine::KeptTexts::read(file);
  if (!texts) return env.Undefined();
  Napi::Array list = Napi::Array::New(env);
  for (const std::string& text : *texts) list.Set(list.Length(), text);
  return list;
}

// Uses a new file each time: until the new file is complete and handed over, the next process finds the old texts.
Napi::Value CrashStateObject::keep_configuration(const Napi::CallbackInfo& info) {
  engine::KeptTexts next;
  const bool is_kept = next.begin(text_of(info)) && crash_state_.give(engine::CrashItem::configuration, 0, next.file());
  if (is_kept) kept_ = std::move(next);
  return Napi::Boolean::New(info.Env(), is_kept);
}

Napi::Value CrashStateObject::extend_configuration(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), kept_.add(text_of(info)));
}

Napi::Value CrashStateObject::last_batches(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Napi::Array frames = Napi::Array::New(env);
  const uint64_t now = engine::monotonic_nanoseconds();
  for (uint16_t worker = 0;; worker++) {
    const int file = crash_state_.taken(engine::CrashItem::recorder, worker);
    if (file < 0) break;
    const auto batch = engine::FlightRecorder::read(file);
    if (!batch) continue;
    for (const auto& frame : batch->frames) {
      Napi::Object object = Napi::Object::New(env);
      object.Set("worker", worker);
      object.Set("port", frame.port);
      object.Set("age", Napi::BigInt::New(env, now - batch->time));
      object.Set("length", frame.length);
      object.Set("bytes", Napi::Buffer<uint8_t>::Copy(env, frame.bytes.data(), frame.bytes.size()));
      frames.Set(frames.Length(), object);
    }
  }
  return frames;
}

// For a process without a director. A director takes over when it starts to forward.
Napi::Value CrashStateObject::take_over(const Napi::CallbackInfo& info) {
  host::Failure failure;
  return Napi::Boolean::New(info.Env(), crash_state_.take_over(failure));
}

Napi::Value CrashStateObject::withdraw(const Napi::CallbackInfo& info) {
  crash_state_.withdraw();
  return info.Env().Undefined();
}

Napi::Value crash_state_sockets(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  int sockets[2];
  host::Failure failure;
  if (!engine::CrashState::make_sockets(sockets, failure)) {
    Napi::Error::New(env, failure.message).ThrowAsJavaScriptException();
    return env.Undefined();
  }
  Napi::Array pair = Napi::Array::New(env);
  pair.Set(0U, sockets[0]);
  pair.Set(1U, sockets[1]);
  return pair;
}

}  // namespace sluice::binding
