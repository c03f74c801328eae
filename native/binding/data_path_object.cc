// SPDX-License-Identifier: Apache-2.0
#include "binding/data_path_object.h"

#include <cstdlib>

#include "binding/director_report.h"
#include "binding/js_values.h"

namespace sluice::binding {

namespace {

// A worker stands still for as many steps at a time: less than the receive rings hold at a million packets a second.
constexpr uint32_t steps_a_visit = 64;

Napi::Value failure_value(Napi::Env env, const host::Failure& failure) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("problem", failure.message);
  return object;
}

const char* way_text(host::StealWay way) {
  switch (way) {
    case host::StealWay::automatic:
      break;
    case host::StealWay::tcx:
      return "tcx";
    case host::StealWay::clsact:
      return "clsact";
    case host::StealWay::nftables:
      return "nftables";
  }
  return "";
}

uint64_t random64() {
  return uint64_t{arc4random()} << 32 | arc4random();
}

Napi::Object port_object(Napi::Env env, const engine::DataPath::PortState& state) {
  Napi::Object object = Napi::Object::New(env);
  const auto set = [&](const char* name, uint64_t value) { object.Set(name, static_cast<double>(value)); };
  object.Set("name", state.interface);
  object.Set("up", Napi::Boolean::New(env, state.is_up));
  object.Set("mac", wire::to_string(state.port.mac));
  set("mtu", state.port.mtu);
  Napi::Array addresses = Napi::Array::New(env);
  for (const lvs::InterfaceAddress& own : state.port.addresses) {
    addresses.Set(addresses.Length(), wire::to_string(own.address) + "/" + std::to_string(own.prefix_length));
  }
  object.Set("addresses", addresses);
  set("received", state.statistics.received);
  set("receivedBytes", state.statistics.received_bytes);
  set("transmitted", state.statistics.transmitted);
  set("transmittedBytes", state.statistics.transmitted_bytes);
  set("kernelDrops", state.statistics.kernel_drops);
  set("unreadable", state.statistics.unreadable);
  set("sendFailures", state.statistics.send_failures);
  return object;
}

}  // namespace

Napi::Function DataPathObject::define(Napi::Env env) {
  return DefineClass(
      env, "DataPath",
      {InstanceMethod<&DataPathObject::open>("open"), InstanceMethod<&DataPathObject::apply>("apply"),
       InstanceMethod<&DataPathObject::start>("start"), InstanceMethod<&DataPathObject::steal>("steal"),
       InstanceMethod<&DataPathObject::announce>("announce"), InstanceMethod<&DataPathObject::services>("services"),
       InstanceMethod<&DataPathObject::connections>("connections"), InstanceMethod<&DataPathObject::counts>("counts"),
       InstanceMethod<&DataPathObject::state>("state"), InstanceMethod<&DataPathObject::close>("close")});
}

DataPathObject::DataPathObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  const Napi::Env env = info.Env();
  const Napi::Object values =
      info.Length() > 0 && info[0].IsObject() ? info[0].As<Napi::Object>() : Napi::Object::New(env);
  const Napi::Value statistics = values.Get("statistics");
  const bool is_page =
      statistics.IsTypedArray() && statistics.As<Napi::TypedArray>().TypedArrayType() == napi_biguint64_array;
  if (!is_page || !values.Get("interfaces").IsArray() || !values.Get("cpus").IsArray()) {
    Napi::TypeError::New(env, "DataPath takes an object of options").ThrowAsJavaScriptException();
    return;
  }
  auto words = statistics.As<Napi::BigUint64Array>();
  page_ = engine::StatisticsPage::format({words.Data(), words.ElementLength()});
  if (!page_) {
    Napi::RangeError::New(env, "these words are too few, or a statistics page already").ThrowAsJavaScriptException();
    return;
  }
  words_ = Napi::Persistent(statistics.As<Napi::TypedArray>());
  engine::DataPathOptions options;
  const auto interfaces = values.Get("interfaces").As<Napi::Array>();
  for (uint32_t i = 0; i < interfaces.Length(); i++) options.interfaces.push_back(interfaces.Get(i).ToString());
  if (const Napi::Value given = values.Get("vlans"); given.IsArray()) {
    const auto vlans = given.As<Napi::Array>();
    for (uint32_t i = 0; i < vlans.Length(); i++) {
      options.vlans.push_back(static_cast<uint16_t>(vlans.Get(i).ToNumber().Uint32Value()));
    }
  }
  const auto cpus = values.Get("cpus").As<Napi::Array>();
  for (uint32_t i = 0; i < cpus.Length(); i++) options.cpus.push_back(cpus.Get(i).ToNumber().Int32Value());
  options.director.flow_limit = number_field(values, "flowLimit");
  options.director.fragment_limit = number_field(values, "fragmentLimit");
  options.director.seed = {random64(), random64(), random64(), random64()};
  options.director.random = arc4random;
  names_.resize(options.cpus.size());
  data_path_ = std::make_unique<engine::DataPath>(std::move(options), *page_);
}

Napi::Value DataPathObject::open(const Napi::CallbackInfo& info) {
  host::Failure failure;
  return data_path_->open(failure) ? info.Env().Undefined() : failure_value(info.Env(), failure);
}

Napi::Value DataPathObject::apply(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (info.Length() < 1 || !info[0].IsArray()) {
    Napi::TypeError::New(env, "apply takes the steps of a plan").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  const auto steps = info[0].As<Napi::Array>();
  for (uint32_t first = 0; first < steps.Length(); first += steps_a_visit) {
    const uint32_t end = std::min(first + steps_a_visit, steps.Length());
    for (size_t number = 0; number < data_path_->workers(); number++) {
      engine::Worker::Visit visit(data_path_->worker(number));
      for (uint32_t i = first; i < end; i++) {
        const Napi::Value step = steps.Get(i);
        const std::string outcome =
            step.IsObject() ? carry_out(step.As<Napi::Object>(), visit.director(), names_[number]) : "no step";
        if (outcome != "done") return Napi::String::New(env, std::to_string(i) + " " + outcome);
      }
    }
  }
  return Napi::String::New(env, "done");
}

Napi::Value DataPathObject::start(const Napi::CallbackInfo& info) {
  data_path_->start();
  return info.Env().Undefined();
}

Napi::Value DataPathObject::steal(const Napi::CallbackInfo& info) {
  host::Failure failure;
  return data_path_->steal(failure) ? info.Env().Undefined() : failure_value(info.Env(), failure);
}

// By one worker: the network is to be told once.
Napi::Value DataPathObject::announce(const Napi::CallbackInfo& info) {
  engine::Worker::Visit visit(data_path_->worker(0));
  visit.director().announce(visit.out());
  return info.Env().Undefined();
}

engine::Worker* DataPathObject::worker(const Napi::CallbackInfo& info) {
  const uint32_t number =
      info.Length() > 0 && info[0].IsNumber() ? info[0].As<Napi::Number>().Uint32Value() : UINT32_MAX;
  if (number < data_path_->workers()) return &data_path_->worker(number);
  Napi::RangeError::New(info.Env(), "no such worker").ThrowAsJavaScriptException();
  return nullptr;
}

Napi::Value DataPathObject::services(const Napi::CallbackInfo& info) {
  engine::Worker* const asked = worker(info);
  if (asked == nullptr) return info.Env().Undefined();
  return service_list(info.Env(), engine::Worker::Visit(*asked).director());
}

Napi::Value DataPathObject::connections(const Napi::CallbackInfo& info) {
  engine::Worker* const asked = worker(info);
  if (asked == nullptr) return info.Env().Undefined();
  engine::Worker::Visit visit(*asked);
  return connection_list(info.Env(), visit.director(), visit.now());
}

Napi::Value DataPathObject::counts(const Napi::CallbackInfo& info) {
  engine::Worker* const asked = worker(info);
  if (asked == nullptr) return info.Env().Undefined();
  return count_list(info.Env(), engine::Worker::Visit(*asked).director());
}

Napi::Value DataPathObject::state(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Napi::Object object = Napi::Object::New(env);
  Napi::Array ports = Napi::Array::New(env);
  for (const auto& port : data_path_->ports()) ports.Set(ports.Length(), port_object(env, port));
  object.Set("ports", ports);
  object.Set("stealing", way_text(data_path_->stealing()));
  Napi::Array notices = Napi::Array::New(env);
  for (const std::string& notice : data_path_->notices()) notices.Set(notices.Length(), notice);
  object.Set("notices", notices);
  return object;
}

Napi::Value DataPathObject::close(const Napi::CallbackInfo& info) {
  data_path_->close();
  return info.Env().Undefined();
}

Napi::Value clean_host(const Napi::CallbackInfo& info) {
  host::Failure failure;
  return host::Steal::remove_left_overs(failure) ? info.Env().Undefined() : failure_value(info.Env(), failure);
}

}  // namespace sluice::binding
