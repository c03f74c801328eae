// SPDX-License-Identifier: Apache-2.0
#include "binding/decap_object.h"

#include <string>

#include "binding/js_values.h"

namespace sluice::binding {

Napi::Function DecapObject::define(Napi::Env env) {
  return DefineClass(env, "Decap",
                     {InstanceMethod<&DecapObject::open>("open"), InstanceMethod<&DecapObject::state>("state"),
                      InstanceMethod<&DecapObject::close>("close")});
}

DecapObject::DecapObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  const Napi::Env env = info.Env();
  if (info.Length() < 1 || !info[0].IsObject() || !info[0].As<Napi::Object>().Get("addresses").IsArray()) {
    Napi::TypeError::New(env, "Decap takes an object of options").ThrowAsJavaScriptException();
    return;
  }
  const auto values = info[0].As<Napi::Object>();
  decap::AgentOptions options;
  options.device = text_field(values, "device");
  options.interface = text_field(values, "interface");
  const auto addresses = values.Get("addresses").As<Napi::Array>();
  for (uint32_t i = 0; i < addresses.Length(); i++) {
    const auto address = wire::parse_address(addresses.Get(i).ToString().Utf8Value());
    if (address) options.addresses.push_back(*address);
  }
  options.ipip = flag_field(values, "ipip");
  options.gre = flag_field(values, "gre");
  options.gue_port = static_cast<uint16_t>(number_field(values, "guePort"));
  agent_ = std::make_unique<decap::Agent>(std::move(options));
}

Napi::Value DecapObject::open(const Napi::CallbackInfo& info) {
  host::Failure failure;
  if (agent_->open(failure)) return info.Env().Undefined();
  Napi::Object object = Napi::Object::New(info.Env());
  object.Set("problem", failure.message);
  return object;
}

Napi::Value DecapObject::state(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Napi::Object counts = Napi::Object::New(env);
  const decap::Agent::Counts counted = agent_->counts();
  for (size_t i = 0; i < counted.size(); i++) {
    counts.Set(std::string(reason_name(static_cast<decap::Reason>(i))), static_cast<double>(counted[i]));
  }
  Napi::Object object = Napi::Object::New(env);
  object.Set("counts", counts);
  object.Set("overflows", static_cast<double>(agent_->overflows()));
  object.Set("isDeviceLost", Napi::Boolean::New(env, agent_->is_device_lost()));
  return object;
}

Napi::Value DecapObject::close(const Napi::CallbackInfo& info) {
  agent_->close();
  return info.Env().Undefined();
}

}  // namespace sluice::binding
