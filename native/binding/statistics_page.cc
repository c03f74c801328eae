// SPDX-License-Identifier: Apache-2.0
#include "binding/statistics_page.h"

#include <cmath>
#include <string>
#include <variant>

namespace sluice::binding {

namespace {

namespace layout = engine::layout;

// A heartbeat that comes less than once an hour tells nothing.
constexpr double longest_interval = 3'600'000;

void throw_type(Napi::Env env, const char* what) {
  Napi::TypeError::New(env, what).ThrowAsJavaScriptException();
}
void throw_range(Napi::Env env, const char* what) {
  Napi::RangeError::New(env, what).ThrowAsJavaScriptException();
}

// A whole number below `end`. Nothing for any other value.
std::optional<size_t> index_below(size_t end, const Napi::Value& value) {
  if (!value.IsNumber()) return std::nullopt;
  const double number = value.As<Napi::Number>().DoubleValue();
  if (!(number >= 0 && number < static_cast<double>(end)) || number != std::floor(number)) return std::nullopt;
  return static_cast<size_t>(number);
}

template <typename Names>
Napi::Object positions(Napi::Env env, const Names& names) {
  Napi::Object object = Napi::Object::New(env);
  for (size_t index = 0; index < names.size(); ++index) {
    object.Set(std::string(names[index]), Napi::Number::New(env, static_cast<double>(index)));
  }
  return object;
}

const char* reason(engine::StatisticsPage::Refusal refusal) {
  switch (refusal) {
    case engine::StatisticsPage::Refusal::bad_name:
      return "a name is 1 to 16 bytes of UTF-8 without a zero";
    case engine::StatisticsPage::Refusal::name_in_use:
      return "another writer has this name";
    case engine::StatisticsPage::Refusal::no_room:
      return "all blocks of the page are taken";
  }
  return "";
}
static_assert(layout::name_size == 16, "as the reason says");

}  // namespace

Napi::Object statistics_layout(Napi::Env env) {
  Napi::Object object = Napi::Object::New(env);
  const auto set = [&](const char* key, size_t value) { object.Set(key, static_cast<double>(value)); };
  object.Set("magic", Napi::BigInt::New(env, layout::magic));
  object.Set("version", Napi::BigInt::New(env, layout::version));
  object.Set("hash", Napi::BigInt::New(env, layout::hash()));
  set("size", layout::size);
  set("firstBlock", layout::first_block);
  set("blockCount", layout::block_count);
  set("blockStride", layout::block_stride);
  set("nameSize", layout::name_size);
  set("firstCounter", layout::first_counter);
  object.Set("page", positions(env, engine::page_words));
  object.Set("block", positions(env, engine::block_words));
  std::vector<std::string_view> names;
  Napi::Object meanings = Napi::Object::New(env);
  for (const auto& [name, meaning] : engine::counters) {
    names.push_back(name);
    meanings.Set(std::string(name), std::string(meaning));
  }
  object.Set("counters", positions(env, names));
  object.Set("meanings", meanings);
  return object;
}

Napi::Function StatisticsWriter::define(Napi::Env env) {
  return DefineClass(env, "StatisticsWriter",
                     {
                         InstanceMethod<&StatisticsWriter::claim>("claim"),
                         InstanceMethod<&StatisticsWriter::add>("add"),
                         InstanceMethod<&StatisticsWriter::release>("release"),
                         InstanceMethod<&StatisticsWriter::start_heartbeat>("startHeartbeat"),
                         InstanceMethod<&StatisticsWriter::stop_heartbeat>("stopHeartbeat"),
                     });
}

StatisticsWriter::StatisticsWriter(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  const Napi::Env env = info.Env();
  if (!info[0].IsTypedArray() || info[0].As<Napi::TypedArray>().TypedArrayType() != napi_biguint64_array) {
    throw_type(env, "words must be a BigUint64Array");
    return;
  }
  auto words = info[0].As<Napi::BigUint64Array>();
  // For a shared buffer Node-API answers that it is not an ArrayBuffer.
  if (words.ArrayBuffer().IsArrayBuffer()) {
    throw_type(env, "words must lie over a SharedArrayBuffer");
    return;
  }
  if (words.ElementLength() < layout::size) {
    throw_range(env, "words are fewer than the layout's size");
    return;
  }
  page_ = engine::StatisticsPage::format(engine::Words(words.Data(), words.ElementLength()));
  if (!page_) {
    Napi::Error::New(env, "the page has a writer already").ThrowAsJavaScriptException();
    return;
  }
  words_ = Napi::Persistent(info[0].As<Napi::TypedArray>());
  blocks_.resize(layout::block_count);
}

Napi::Value StatisticsWriter::claim(const Napi::CallbackInfo& info) {
  if (!info[0].IsString()) {
    throw_type(info.Env(), "name must be a string");
    return {};
  }
  auto claimed = page_->claim(info[0].As<Napi::String>().Utf8Value());
  if (const auto* refusal = std::get_if<engine::StatisticsPage::Refusal>(&claimed)) {
    return Napi::String::New(info.Env(), reason(*refusal));
  }
  auto& block = std::get<engine::CounterBlock>(claimed);
  const size_t index = block.index();
  blocks_[index].emplace(std::move(block));
  return Napi::Number::New(info.Env(), static_cast<double>(index));
}

engine::CounterBlock* StatisticsWriter::claimed(const Napi::CallbackInfo& info) {
  const auto index = index_below(blocks_.size(), info[0]);
  if (index && blocks_[*index]) return &*blocks_[*index];
  throw_range(info.Env(), "block must be the index of a claimed block");
  return nullptr;
}

void StatisticsWriter::add(const Napi::CallbackInfo& info) {
  engine::CounterBlock* const block = claimed(info);
  if (block == nullptr) return;
  const auto counter = index_below(engine::counters.size(), info[1]);
  if (!counter) return throw_range(info.Env(), "counter must be the index of a counter");
  bool is_whole = false;
  const uint64_t amount = info[2].IsBigInt() ? info[2].As<Napi::BigInt>().Uint64Value(&is_whole) : 0;
  if (!is_whole) return throw_type(info.Env(), "amount must be a bigint from 0 to 2^64-1");
  block->add(static_cast<engine::Counter>(*counter), amount);
}

void StatisticsWriter::release(const Napi::CallbackInfo& info) {
  const engine::CounterBlock* const block = claimed(info);
  if (block != nullptr) blocks_[block->index()].reset();
}

void StatisticsWriter::start_heartbeat(const Napi::CallbackInfo& info) {
  const double interval = info[0].IsNumber() ? info[0].As<Napi::Number>().DoubleValue() : 0;
  if (!(interval >= 1 && interval <= longest_interval)) {
    return throw_range(info.Env(), "interval must be 1 to 3600000 milliseconds");
  }
  heartbeat_.reset();
  heartbeat_ = std::make_unique<engine::Heartbeat>(*page_, std::chrono::milliseconds(static_cast<int64_t>(interval)),
                                                   engine::monotonic_nanoseconds);
}

void StatisticsWriter::stop_heartbeat(const Napi::CallbackInfo&) {
  heartbeat_.reset();
}

}  // namespace sluice::binding
