// SPDX-License-Identifier: Apache-2.0
#include "binding/director_object.h"

#include "binding/director_report.h"
#include "binding/js_values.h"
#include "director/services/text.h"
#include "memory/mapped_memory.h"

namespace sluice::binding {

namespace {

// SplitMix64 (Vigna): a small generator that gives the same numbers on every machine.
director::RandomSource seeded_random(uint64_t seed) {
  return [state = seed]() mutable {
    uint64_t z = (state += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return static_cast<uint32_t>((z ^ (z >> 31)) >> 32);
  };
}

Time time_of(const Napi::Value& value) {
  bool lossless = true;
  return value.IsBigInt() ? value.As<Napi::BigInt>().Uint64Value(&lossless) : 0;
}

Napi::Object transmitted_frame(Napi::Env env, const director::Frame& frame) {
  Napi::Object sent = Napi::Object::New(env);
  sent.Set("port", Napi::Number::New(env, frame.port));
  sent.Set("frame", Napi::Buffer<uint8_t>::Copy(env, frame.data, frame.length));
  return sent;
}

}  // namespace

Napi::Function DirectorObject::define(Napi::Env env) {
  return DefineClass(
      env, "Director",
      {InstanceMethod<&DirectorObject::set_route_table>("setRouteTable"),
       InstanceMethod<&DirectorObject::apply>("apply"), InstanceMethod<&DirectorObject::receive>("receive"),
       InstanceMethod<&DirectorObject::announce>("announce"),
       InstanceMethod<&DirectorObject::receive_batch>("receiveBatch"),
       InstanceMethod<&DirectorObject::advance>("advance"), InstanceMethod<&DirectorObject::connections>("connections"),
       InstanceMethod<&DirectorObject::services>("services"), InstanceMethod<&DirectorObject::counts>("counts")});
}

DirectorObject::DirectorObject(const Napi::CallbackInfo& info)
    : ObjectWrap(info), buffer_(director::required_headroom + longest_frame) {
  if (info.Length() < 1 || !info[0].IsObject()) {
    Napi::TypeError::New(info.Env(), "Director takes an object of options").ThrowAsJavaScriptException();
    return;
  }
  const Napi::Object values = info[0].As<Napi::Object>();
  const uint64_t seed = number_field(values, "seed");
  director::DirectorOptions options;
  options.flow_limit = number_field(values, "flowLimit");
  options.fragment_limit = std::max(number_field(values, "fragmentLimit"), 1u);
  options.seed = {seed, ~seed, seed * 0x9e3779b97f4a7c15ULL, seed ^ 0xd1b54a32d192ed03ULL};
  options.random = seeded_random(seed);
  options.start = now_ = time_of(values.Get("start"));
  options.huge_pages = false;
  options.memory.own = &memory::process_memory();
  options.limits_icmp = flag_field(values, "limitIcmp");
  director_ = std::make_unique<director::Director>(options);
}

Napi::Value DirectorObject::set_route_table(const Napi::CallbackInfo& info) {
  if (info.Length() < 1 || !info[0].IsObject()) {
    Napi::TypeError::New(info.Env(), "setRouteTable takes an object").ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
  const Napi::Object values = info[0].As<Napi::Object>();
  std::vector<director::Port> ports;
  for_each_element(values, "ports", [&](const Napi::Object& port) {
    director::Port& added = ports.emplace_back();
    added.name = text_field(port, "name");
    added.mac = wire::parse_mac(text_field(port, "mac")).value_or(wire::MacAddress{});
    added.mtu = number_field(port, "mtu");
    added.vlan = static_cast<uint16_t>(number_field(port, "vlan"));
    for_each_element(port, "addresses", [&](const Napi::Object& address) {
      added.addresses.push_back(
          {address_field(address, "address"), static_cast<uint8_t>(number_field(address, "prefix"))});
    });
  });
  const auto port_field = [&](const Napi::Object& object) {
    return static_cast<director::PortId>(std::min<size_t>(number_field(object, "port"), ports.size()));
  };
  std::vector<director::Route> routes;
  for_each_element(values, "routes", [&](const Napi::Object& route) {
    routes.push_back({address_field(route, "network"), static_cast<uint8_t>(number_field(route, "prefix")),
                      address_field(route, "via"), port_field(route)});
  });
  std::vector<director::Neighbour> neighbours;
  for_each_element(values, "neighbours", [&](const Napi::Object& neighbour) {
    neighbours.push_back({address_field(neighbour, "address"),
                          wire::parse_mac(text_field(neighbour, "mac")).value_or(wire::MacAddress{}),
                          port_field(neighbour)});
  });
  std::erase_if(routes, [&](const director::Route& route) { return route.port >= ports.size(); });
  director_->set_route_table(
      std::make_shared<director::RouteTable>(std::move(ports), std::move(routes), std::move(neighbours)));
  return info.Env().Undefined();
}

Napi::Value DirectorObject::apply(const Napi::CallbackInfo& info) {
  if (info.Length() < 1 || !info[0].IsObject()) {
    Napi::TypeError::New(info.Env(), "apply takes a step of a plan").ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
  const auto step = step_of(info[0].As<Napi::Object>(), names_);
  return Napi::String::New(info.Env(), std::string(step ? carry_out(*step, *director_) : "unknown-step"));
}

director::Frame DirectorObject::copy_in(wire::Bytes bytes) {
  director::Frame frame;
  frame.data = buffer_.data() + director::required_headroom;
  frame.length = static_cast<uint32_t>(bytes.size());
  std::memcpy(frame.data, bytes.data(), frame.length);
  return frame;
}

void DirectorObject::name_parties(Napi::Object& result, const director::Decision& decision) {
  if (decision.destination != director::no_destination) {
    const director::Destination& destination = director_->services().destination(decision.destination);
    result.Set("service", director::to_text(destination.home));
    result.Set("server", director::to_text(destination.address, destination.port));
    result.Set("mode", std::string(director::mode_text(destination.forwarding)));
  } else if (decision.service != nullptr) {
    result.Set("service", director::to_text(decision.service->key));
  }
}

Napi::Object DirectorObject::describe(Napi::Env env, const director::Decision& decision) {
  Napi::Object result = Napi::Object::New(env);
  result.Set("reason", Napi::Number::New(env, static_cast<uint32_t>(decision.reason)));
  name_parties(result, decision);
  result.Set("out", transmitted(env));
  return result;
}

Napi::Array DirectorObject::transmitted(Napi::Env env) {
  Napi::Array out = Napi::Array::New(env);
  for (const auto& entry : out_.entries()) out.Set(out.Length(), transmitted_frame(env, entry.frame));
  return out;
}

Napi::Value DirectorObject::announce(const Napi::CallbackInfo& info) {
  out_.clear();
  director_->announce(out_);
  return transmitted(info.Env());
}

Napi::Value DirectorObject::receive(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const bool well_formed = info.Length() >= 3 && info[0].IsNumber() && info[1].IsTypedArray() && info[2].IsBigInt() &&
                           info[1].As<Napi::TypedArray>().TypedArrayType() == napi_uint8_array;
  if (!well_formed) {
    Napi::TypeError::New(env, "receive takes a port, a Uint8Array and a bigint").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  const uint32_t port = info[0].As<Napi::Number>().Uint32Value();
  const Napi::Uint8Array bytes = info[1].As<Napi::Uint8Array>();
  if (port >= director_->route_table().ports().size() || bytes.ByteLength() > longest_frame) {
    Napi::RangeError::New(env, "no such port, or a frame longer than any").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  director::Frame frame = copy_in({bytes.Data(), bytes.ByteLength()});
  frame.port = static_cast<director::PortId>(port);
  director::Trace trace;
  bool explains = false;
  if (info.Length() > 3 && info[3].IsObject()) {
    const Napi::Object more = info[3].As<Napi::Object>();
    frame.mark = number_field(more, "mark");
    frame.checksum =
        flag_field(more, "partial") ? director::TransportChecksum::partial : director::TransportChecksum::complete;
    frame.segmentation = static_cast<director::Segmentation>(std::min<uint32_t>(number_field(more, "segmentation"), 3));
    frame.segment_size = static_cast<uint16_t>(number_field(more, "segmentSize"));
    explains = flag_field(more, "explain");
  }
  out_.clear();
  const director::Decision decision = director_->receive(frame, time_of(info[2]), out_, explains ? &trace : nullptr);
  Napi::Object result = describe(env, decision);
  if (explains) {
    Napi::Array steps = Napi::Array::New(env);
    for (const std::string& step : trace.steps()) steps.Set(steps.Length(), step);
    result.Set("steps", steps);
  }
  return result;
}

Napi::Value DirectorObject::advance(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Napi::Array sent = Napi::Array::New(env);
  advance_to(time_of(info[0]), [&](Time time, const director::Frame& frame) {
    Napi::Object one = transmitted_frame(env, frame);
    one.Set("time", Napi::BigInt::New(env, time));
    sent.Set(sent.Length(), one);
  });
  return sent;
}

Napi::Value DirectorObject::connections(const Napi::CallbackInfo& info) {
  std::vector<engine::Connection> connections;
  for (std::optional<engine::ConnectionCursor> at = 0; at;) {
    at = engine::read_connections(*director_, time_of(info[0]), *at, UINT32_MAX, connections);
  }
  return connection_list(info.Env(), connections);
}

Napi::Value DirectorObject::services(const Napi::CallbackInfo& info) {
  return service_list(info.Env(), *director_);
}

Napi::Value DirectorObject::counts(const Napi::CallbackInfo& info) {
  return count_list(info.Env(), *director_);
}

}  // namespace sluice::binding
