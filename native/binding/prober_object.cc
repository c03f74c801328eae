// SPDX-License-Identifier: Apache-2.0
#include "binding/prober_object.h"

#include <uv.h>

#include <algorithm>
#include <cmath>
#include <string>

namespace sluice::binding {

namespace {

// Each event is its id, its kind and its value.
constexpr size_t numbers_of_an_event = 3;
constexpr double most_milliseconds = 1e12;  // 31 years

bool throw_type_error(Napi::Env env, const std::string& message) {
  Napi::TypeError::New(env, message).ThrowAsJavaScriptException();
  return false;
}

bool is_bytes(const Napi::Value& value) {
  return value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_uint8_array;
}

std::span<const uint8_t> bytes_of(const Napi::Value& value) {
  const auto array = value.As<Napi::Uint8Array>();
  return {array.Data(), array.ElementLength()};
}

bool is_whole(const Napi::Value& value, double most) {
  if (!value.IsNumber()) return false;
  const double number = value.As<Napi::Number>().DoubleValue();
  return number >= 0 && number <= most && number == std::floor(number);
}

// The memory of a typed array over a SharedArrayBuffer. Null if the value is none, or is too short.
void* shared(const Napi::Value& value, napi_typedarray_type type, size_t least) {
  if (!value.IsTypedArray()) return nullptr;
  const auto array = value.As<Napi::TypedArray>();
  if (array.TypedArrayType() != type || array.ElementLength() < least) return nullptr;
  if (array.Get("buffer").IsArrayBuffer()) return nullptr;
  void* memory = nullptr;
  napi_get_typedarray_info(value.Env(), value, nullptr, nullptr, &memory, nullptr, nullptr);
  return memory;
}

// An id that no exchange has, if the number is none of an exchange.
probe::Id id_of(const Napi::Value& value) {
  constexpr double most = 9007199254740991;  // 2^53 - 1
  return is_whole(value, most) ? static_cast<probe::Id>(value.As<Napi::Number>().DoubleValue()) : 0;
}

bool read_address(Napi::Env env, const char* name, const Napi::Value& value, uint16_t port,
                  probe::SocketAddress& address) {
  const std::string text = value.IsString() ? value.As<Napi::String>().Utf8Value() : "";
  const auto parsed = probe::SocketAddress::parse(text, port);
  if (!parsed)
    return throw_type_error(env, std::string(name) + " of an exchange must be an IP address: \"" + text + '"');
  address = *parsed;
  return true;
}

bool read_protocol(Napi::Env env, const Napi::Value& value, probe::Protocol& protocol) {
  const std::string name = value.IsString() ? value.As<Napi::String>().Utf8Value() : "";
  if (name == "tcp") {
    protocol = probe::Protocol::tcp;
  } else if (name == "udp") {
    protocol = probe::Protocol::udp;
  } else if (name == "ping") {
    protocol = probe::Protocol::ping;
  } else {
    return throw_type_error(env, "protocol of an exchange must be 'tcp', 'udp' or 'ping'");
  }
  return true;
}

// How packets of a service travel: its words, from the server's address on.
bool read_way(const Napi::CallbackInfo& info, size_t first, probe::TrafficWay& way) {
  const Napi::Env env = info.Env();
  const Napi::Value server = info[first], wrapping = info[first + 1], port = info[first + 2],
                    checksum = info[first + 3];
  if (server.IsUndefined()) return true;
  if (!read_address(env, "way.server", server, 0, way.server)) return false;
  const std::string name = wrapping.IsString() ? wrapping.As<Napi::String>().Utf8Value() : "";
  constexpr const char* names[] = {"none", "ipip", "gre", "gue"};  // in the order of Wrapping
  const auto* const found = std::ranges::find(names, name);
  if (found == std::end(names)) return throw_type_error(env, "way.wrapping must be 'none', 'ipip', 'gre' or 'gue'");
  way.wrapping = static_cast<probe::Wrapping>(found - names);
  if (!is_whole(port, UINT16_MAX)) return throw_type_error(env, "way.port must be a whole number from 0 to 65535");
  way.gue_port = static_cast<uint16_t>(port.As<Napi::Number>().Uint32Value());
  if (!checksum.IsBoolean()) return throw_type_error(env, "way.checksum must be a boolean");
  way.has_checksum = checksum.As<Napi::Boolean>().Value();
  return true;
}

// The fields that may be left out.
bool read_options(const Napi::CallbackInfo& info, probe::Request& request) {
  const Napi::Env env = info.Env();
  const Napi::Value send = info[4], connect_only = info[5], source = info[6], device = info[7], mark = info[8];
  if (!send.IsUndefined()) {
    if (!is_bytes(send)) return throw_type_error(env, "send of an exchange must be a Uint8Array");
    request.sends = true;
    request.bytes = bytes_of(send);
  }
  if (!connect_only.IsUndefined()) {
    if (!connect_only.IsBoolean()) return throw_type_error(env, "connectOnly of an exchange must be a boolean");
    request.connect_only = connect_only.As<Napi::Boolean>().Value();
  }
  if (!source.IsUndefined() && !read_address(env, "source", source, 0, request.from)) return false;
  if (!device.IsUndefined()) {
    if (!device.IsString()) return throw_type_error(env, "device of an exchange must be a string");
    request.device = device.As<Napi::String>().Utf8Value();
  }
  if (!mark.IsUndefined()) {
    if (!is_whole(mark, UINT32_MAX))
      return throw_type_error(env, "mark of an exchange must be a whole number of 32 bits");
    request.mark = mark.As<Napi::Number>().Uint32Value();
  }
  return read_way(info, 9, request.way);
}

bool read_request(const Napi::CallbackInfo& info, probe::Request& request) {
  const Napi::Env env = info.Env();
  if (!read_protocol(env, info[0], request.protocol)) return false;
  if (!is_whole(info[2], UINT16_MAX)) {
    return throw_type_error(env, "port of an exchange must be a whole number from 0 to 65535");
  }
  // A ping socket takes no port.
  const bool has_port = request.protocol != probe::Protocol::ping;
  const auto port = static_cast<uint16_t>(has_port ? info[2].As<Napi::Number>().Uint32Value() : 0);
  if (!read_address(env, "address", info[1], port, request.to)) return false;
  const double milliseconds = info[3].IsNumber() ? info[3].As<Napi::Number>().DoubleValue() : -1;
  if (!(milliseconds >= 0 && milliseconds <= most_milliseconds)) {
    return throw_type_error(env, "timeoutMilliseconds of an exchange must be a number from 0 to 1e12");
  }
  request.timeout = static_cast<Time>(milliseconds * 1e6);
  return read_options(info, request);
}

}  // namespace

struct ProberObject::Watch {
  uv_poll_t poll = {};
  ProberObject* owner = nullptr;  // null when the object is gone
  napi_async_cleanup_hook_handle hook = nullptr;

  static void on_readable(uv_poll_t* poll, int, int) {
    const auto* watch = static_cast<Watch*>(poll->data);
    if (watch->owner != nullptr) watch->owner->deliver();
  }
  // The environment ends, and waits until the hook is removed.
  static void on_cleanup(napi_async_cleanup_hook_handle, void* data) {
    const auto* watch = static_cast<Watch*>(data);
    if (watch->owner != nullptr) watch->owner->shut();
  }
  static void on_closed(uv_handle_t* handle) {
    auto* watch = static_cast<Watch*>(handle->data);
    if (watch->hook != nullptr) napi_remove_async_cleanup_hook(watch->hook);
    delete watch;
  }
};

Napi::Function ProberObject::define(Napi::Env env) {
  return DefineClass(env, "Prober",
                     {StaticValue("mostEvents", Napi::Number::New(env, probe::most_events)),
                      StaticValue("mostBytes", Napi::Number::New(env, probe::most_bytes)),
                      InstanceMethod<&ProberObject::start>("start"), InstanceMethod<&ProberObject::send>("send"),
                      InstanceMethod<&ProberObject::end>("end"), InstanceMethod<&ProberObject::close>("close")});
}

ProberObject::ProberObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  const Napi::Env env = info.Env();
  events_ = static_cast<double*>(shared(info[0], napi_float64_array, probe::most_events * numbers_of_an_event));
  bytes_ = static_cast<uint8_t*>(shared(info[1], napi_uint8_array, probe::most_bytes));
  if (events_ == nullptr || bytes_ == nullptr || !info[2].IsFunction()) {
    throw_type_error(env, "a prober takes arrays for its events and their bytes, which are shared, and a function");
    return;
  }
  host::Failure failure;
  prober_ = probe::Prober::open(failure);
  if (!prober_) {
    Napi::Error::New(env, failure.message).ThrowAsJavaScriptException();
    return;
  }
  // Properties, as the garbage collector follows them: the function may know this object.
  constexpr const char* names[] = {"events", "bytes", "onEvents"};
  for (size_t i = 0; i < std::size(names); i++) {
    Value().DefineProperty(Napi::PropertyDescriptor::Value(names[i], info[i], napi_default));
  }
  context_.emplace(env, "sluice:prober");
  if (!watch(env)) {
    prober_.reset();
    Napi::Error::New(env, "cannot watch the descriptor of a prober").ThrowAsJavaScriptException();
  }
}

ProberObject::~ProberObject() {
  shut();
}

bool ProberObject::watch(Napi::Env env) {
  uv_loop_t* loop = nullptr;
  auto* watch = new Watch;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok || uv_poll_init(loop, &watch->poll, prober_->fd()) != 0) {
    delete watch;
    return false;
  }
  watch->poll.data = watch;
  watch->owner = this;
  watch_ = watch;
  const bool is_hooked = napi_add_async_cleanup_hook(env, Watch::on_cleanup, watch, &watch->hook) == napi_ok;
  if (!is_hooked || uv_poll_start(&watch->poll, UV_READABLE, Watch::on_readable) != 0) {
    shut();
    return false;
  }
  uv_unref(reinterpret_cast<uv_handle_t*>(&watch->poll));
  return true;
}

Napi::Value ProberObject::start(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  probe::Request request;
  if (!prober_) {
    Napi::Error::New(env, "the prober is closed").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  if (!read_request(info, request)) return env.Undefined();
  const probe::Id id = prober_->start(request);
  if (id == 0) {
    Napi::RangeError::New(env, "too many exchanges at once").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  hold_while_running();
  return Napi::Number::New(env, static_cast<double>(id));
}

void ProberObject::send(const Napi::CallbackInfo& info) {
  if (!info[0].IsNumber() || !is_bytes(info[1])) {
    throw_type_error(info.Env(), "send takes the id of an exchange and a Uint8Array");
  } else if (prober_) {
    prober_->send(id_of(info[0]), bytes_of(info[1]));
  }
}

void ProberObject::end(const Napi::CallbackInfo& info) {
  if (!info[0].IsNumber()) {
    throw_type_error(info.Env(), "end takes the id of an exchange");
  } else if (prober_) {
    prober_->end(id_of(info[0]));
    hold_while_running();
  }
}

void ProberObject::close(const Napi::CallbackInfo&) {
  if (prober_) prober_->end_all();
  hold_while_running();
  shut();
}

void ProberObject::deliver() {
  if (!prober_) return;
  const Napi::Env env = Env();
  const Napi::HandleScope scope(env);
  prober_->collect(batch_);
  double* number = events_;
  for (const probe::Event& event : batch_.events) {
    *number++ = static_cast<double>(event.id);
    *number++ = static_cast<double>(event.kind);
    *number++ = event.value;
  }
  std::copy(batch_.bytes.begin(), batch_.bytes.end(), bytes_);
  // The handle in call() keeps the object while JavaScript runs.
  if (!batch_.events.empty()) call(static_cast<uint32_t>(batch_.events.size()));
}

void ProberObject::call(uint32_t count) {
  const Napi::Env env = Env();
  const Napi::Object object = Value();
  const Napi::Value on_events = object.Get("onEvents");
  const napi_value argument = Napi::Number::New(env, count);
  const napi_status status = napi_make_callback(env, *context_, object, on_events, 1, &argument, nullptr);
  // Nobody called this, so nobody catches what JavaScript threw: it is an uncaught exception, as that of a timer.
  napi_value thrown = nullptr;
  if (status == napi_pending_exception && napi_get_and_clear_last_exception(env, &thrown) == napi_ok) {
    napi_fatal_exception(env, thrown);
  }
  hold_while_running();
}

void ProberObject::hold_while_running() {
  const bool is_running = prober_ && prober_->running() > 0;
  if (is_running == is_held_ || watch_ == nullptr) return;
  is_held_ = is_running;
  auto* handle = reinterpret_cast<uv_handle_t*>(&watch_->poll);
  if (is_running) {
    Ref();
    uv_ref(handle);
  } else {
    uv_unref(handle);
    Unref();
  }
}

void ProberObject::shut() {
  if (watch_ != nullptr) {
    watch_->owner = nullptr;
    // Before the descriptor is closed, which libuv has to take out of its own.
    uv_close(reinterpret_cast<uv_handle_t*>(&watch_->poll), Watch::on_closed);
    watch_ = nullptr;
  }
  prober_.reset();
}

}  // namespace sluice::binding
