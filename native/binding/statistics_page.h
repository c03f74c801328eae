// SPDX-License-Identifier: Apache-2.0
// The writers' side of the statistics page, as JavaScript sees it: `new StatisticsWriter(words)`.
#pragma once

#include <napi.h>

#include <memory>
#include <optional>
#include <vector>

#include "engine/statistics.h"

namespace sluice::binding {

// The layout as an object: the place of each value among the words.
Napi::Object statistics_layout(Napi::Env env);

class StatisticsWriter : public Napi::ObjectWrap<StatisticsWriter> {
 public:
  static Napi::Function define(Napi::Env env);
  // (words: BigUint64Array) over a SharedArrayBuffer: an ordinary buffer could be detached while a native thread uses
  // it.
  explicit StatisticsWriter(const Napi::CallbackInfo& info);

 private:
  Napi::Value claim(const Napi::CallbackInfo& info);     // (name: string) → block index, or why there is none
  void add(const Napi::CallbackInfo& info);              // (block: number, counter: number, amount: bigint)
  void release(const Napi::CallbackInfo& info);          // (block: number)
  void start_heartbeat(const Napi::CallbackInfo& info);  // (interval: milliseconds)
  void stop_heartbeat(const Napi::CallbackInfo& info);   // ()
  engine::CounterBlock* claimed(
      const Napi::CallbackInfo& info);  // the block whose index is the first argument; throws if it is not claimed

  // The order matters: on destruction the threads must end before the memory that they write is released.
  Napi::Reference<Napi::TypedArray> words_;
  std::unique_ptr<engine::StatisticsPage> page_;
  std::vector<std::optional<engine::CounterBlock>> blocks_;
  std::unique_ptr<engine::Heartbeat> heartbeat_;
};

}  // namespace sluice::binding
