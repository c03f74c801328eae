// SPDX-License-Identifier: Apache-2.0
#include "binding/confine.h"

#include "binding/js_values.h"
#include "host/inherited_files.h"
#include "host/seccomp.h"
#include "host/systemd_notice.h"

namespace sluice::binding {

Napi::Value confine(const Napi::CallbackInfo& info) {
  const Napi::Object options = info[0].IsObject() ? info[0].As<Napi::Object>() : Napi::Object::New(info.Env());
  const host::Confinement confinement = {.allow_exec = flag_field(options, "allowExec"),
                                         .allow_bpf = flag_field(options, "allowBpf")};
  host::Failure failure;
  if (host::confine(confinement, failure)) return info.Env().Undefined();
  Napi::Object told = Napi::Object::New(info.Env());
  told.Set("problem", failure.message);
  return told;
}

Napi::Value keep_files_from_programs(const Napi::CallbackInfo& info) {
  host::keep_files_from_programs();
  return info.Env().Undefined();
}

Napi::Value keep_capabilities_from_programs(const Napi::CallbackInfo& info) {
  host::keep_capabilities_from_programs();
  return info.Env().Undefined();
}

Napi::Value stop_blocking(const Napi::CallbackInfo& info) {
  if (info[0].IsNumber()) host::stop_blocking(info[0].As<Napi::Number>().Int32Value());
  return info.Env().Undefined();
}

Napi::Value tell_service_manager(const Napi::CallbackInfo& info) {
  const bool was_sent = host::tell_service_manager(info[0].ToString().Utf8Value(), info[1].ToString().Utf8Value());
  return Napi::Boolean::New(info.Env(), was_sent);
}

}  // namespace sluice::binding
