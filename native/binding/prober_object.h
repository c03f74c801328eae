// SPDX-License-Identifier: Apache-2.0
// The prober in the event loop of the thread that made it. src/native/prober.ts wraps this class and is its only user.
//
// The prober's epoll descriptor is watched by libuv (uv_poll_t); nothing else of libuv is used. A call of JavaScript
// tells all events of a round: they are written as numbers, and their bytes behind each other, to two arrays that both
// sides share. So a round costs one call and no allocation here, however many events it has. JavaScript makes the
// objects and copies the bytes. An ArrayBuffer for each round made an HTTP check a third dearer in user time (garbage).
//
// The object lives as long as somebody knows it or an exchange runs, and only an exchange keeps the loop alive. The
// watch is memory of its own, because libuv lets go of it later than the object may.
#pragma once

#include <napi.h>

#include <optional>

#include "probe/prober.h"

namespace sluice::binding {

class ProberObject : public Napi::ObjectWrap<ProberObject> {
 public:
  static Napi::Function define(Napi::Env env);
  // (events, bytes, onEvents): the arrays lie in SharedArrayBuffers, which cannot be taken away. `events`, a
  // Float64Array, has room for `mostEvents` of id, kind and value; `bytes`, a Uint8Array, for `mostBytes`.
  // onEvents(count) is called for each round.
  explicit ProberObject(const Napi::CallbackInfo& info);
  ~ProberObject() override;

 private:
  struct Watch;

  // (protocol, address, port, timeoutMilliseconds, send, connectOnly, source, device, mark) → id
  Napi::Value start(const Napi::CallbackInfo& info);
  void send(const Napi::CallbackInfo& info);   // (id, bytes)
  void end(const Napi::CallbackInfo& info);    // (id)
  void close(const Napi::CallbackInfo& info);  // ()

  bool watch(Napi::Env env);
  void deliver();
  void call(uint32_t count);
  void hold_while_running();
  // Ends all and gives the watch to libuv. Makes no call of Node-API.
  void shut();

  std::optional<probe::Prober> prober_;  // empty after close()
  probe::Batch batch_;
  Watch* watch_ = nullptr;
  double* events_ = nullptr;
  uint8_t* bytes_ = nullptr;
  std::optional<Napi::AsyncContext> context_;
  bool is_held_ = false;
};

}  // namespace sluice::binding
