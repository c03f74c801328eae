// SPDX-License-Identifier: Apache-2.0
// Many frames in one call of JavaScript, for replays. One call and one object per frame would cost more than the
// director itself. The call returns arrays of numbers, and once the names that the numbers stand for.
#include <unordered_map>

#include "binding/director_object.h"
#include "director/services/text.h"

namespace sluice::binding {

namespace {

// The fields of a given frame: the buffer, the place in the buffer, the length, the number of the port, the firewall
// mark, whether the checksum is partial, and the segmentation.
enum class Given : uint8_t { buffer, begin, length, port, mark, partial, segmentation, segment_size, count };
constexpr size_t given_fields = static_cast<size_t>(Given::count);

// Limit of the sent frames that one call returns: enough to make the cost of a call small, little beside the batch
// itself.
constexpr size_t sent_bytes_a_call = 1'048'576;

class FrameBatch {
 public:
  // False if the arguments are not as expected.
  bool open(const Napi::CallbackInfo& info, size_t ports) {
    const bool typed = info.Length() >= 6 && info[0].IsArray() && info[1].IsTypedArray() && info[2].IsTypedArray() &&
                       info[1].As<Napi::TypedArray>().TypedArrayType() == napi_uint32_array &&
                       info[2].As<Napi::TypedArray>().TypedArrayType() == napi_biguint64_array && info[3].IsNumber() &&
                       info[4].IsNumber();
    if (!typed) return false;
    const Napi::Array list = info[0].As<Napi::Array>();
    for (uint32_t i = 0; i < list.Length(); i++) {
      const Napi::Value buffer = list.Get(i);
      const bool bytes = buffer.IsTypedArray() && buffer.As<Napi::TypedArray>().TypedArrayType() == napi_uint8_array;
      if (!bytes) return false;
      buffers_.emplace_back(buffer.As<Napi::Uint8Array>().Data(), buffer.As<Napi::Uint8Array>().ByteLength());
    }
    fields_ = {info[1].As<Napi::Uint32Array>().Data(), info[1].As<Napi::Uint32Array>().ElementLength()};
    times_ = {info[2].As<Napi::BigUint64Array>().Data(), info[2].As<Napi::BigUint64Array>().ElementLength()};
    first = info[3].As<Napi::Number>().Uint32Value();
    end = info[4].As<Napi::Number>().Uint32Value();
    return first <= end && end <= times_.size() && end <= fields_.size() / given_fields && is_within(ports);
  }

  wire::Bytes bytes(size_t frame) const {
    return buffers_[field(frame, Given::buffer)].subspan(field(frame, Given::begin), field(frame, Given::length));
  }
  // Sets what comes with the frame beside its bytes.
  void describe(size_t frame, director::Frame& to) const {
    to.port = static_cast<director::PortId>(field(frame, Given::port));
    to.mark = field(frame, Given::mark);
    if (field(frame, Given::partial) != 0) to.checksum = director::TransportChecksum::partial;
    to.segmentation = static_cast<director::Segmentation>(field(frame, Given::segmentation));
    to.segment_size = static_cast<uint16_t>(field(frame, Given::segment_size));
  }
  Time time(size_t frame) const { return times_[frame]; }

  uint32_t first = 0, end = 0;

 private:
  uint32_t field(size_t frame, Given which) const { return fields_[frame * given_fields + static_cast<size_t>(which)]; }
  bool is_within(size_t ports) const {
    for (size_t i = first; i < end; i++) {
      if (field(i, Given::buffer) >= buffers_.size() || field(i, Given::port) >= ports) return false;
      const size_t size = buffers_[field(i, Given::buffer)].size();
      if (uint64_t{field(i, Given::begin)} + field(i, Given::length) > size) return false;
      if (field(i, Given::length) > longest_frame) return false;
      if (field(i, Given::segmentation) > static_cast<uint32_t>(director::Segmentation::udp)) return false;
    }
    return true;
  }

  std::vector<wire::Bytes> buffers_;
  std::span<const uint32_t> fields_;
  std::span<const uint64_t> times_;
};

// The service, real server and mode of the packets of one call. Each combination is listed once, numbered from 1; 0 is
// none.
class Parties {
 public:
  explicit Parties(Napi::Env env) : list(Napi::Array::New(env)) {}

  template <class Name>
  uint32_t number(const director::Decision& decision, Name name) {
    if (decision.destination == director::no_destination && decision.service == nullptr) return 0;
    auto& known = decision.destination != director::no_destination ? by_destination_[decision.destination]
                                                                   : by_service_[decision.service];
    if (known != 0) return known;
    Napi::Object names = Napi::Object::New(list.Env());
    name(names);
    list.Set(list.Length(), names);
    return known = list.Length();
  }

  Napi::Array list;

 private:
  std::unordered_map<uint32_t, uint32_t> by_destination_;
  std::unordered_map<const director::Service*, uint32_t> by_service_;
};

template <class Array, class Number>
Array array_of(Napi::Env env, const std::vector<Number>& numbers) {
  Array array = Array::New(env, numbers.size());
  std::copy(numbers.begin(), numbers.end(), array.Data());
  return array;
}

}  // namespace

Napi::Value DirectorObject::receive_batch(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  FrameBatch batch;
  if (!batch.open(info, director_->route_table().ports().size())) {
    Napi::TypeError::New(env, "receiveBatch takes frames that lie within their buffers").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  const bool explains = info[5].ToBoolean();
  std::vector<uint32_t> decisions;    // reason, parties, frames that the packet sent, frames that timers sent before it
  std::vector<uint32_t> sent_frames;  // port, length
  std::vector<uint64_t> timer_times;
  std::vector<uint8_t> sent;
  const auto keep = [&](const director::Frame& frame) {
    sent_frames.insert(sent_frames.end(), {frame.port, frame.length});
    sent.insert(sent.end(), frame.data, frame.data + frame.length);
  };
  Parties parties(env);
  Napi::Array steps = Napi::Array::New(env);
  director::Trace trace;
  uint32_t i = batch.first;
  for (; i < batch.end && sent.size() < sent_bytes_a_call; i++) {
    director::Frame frame = copy_in(batch.bytes(i));
    batch.describe(i, frame);
    trace.clear();
    uint32_t by_timers = 0;
    advance_to(batch.time(i), [&](Time time, const director::Frame& one) {
      keep(one);
      timer_times.push_back(time);
      by_timers++;
    });
    out_.clear();
    const auto decision = director_->receive(frame, batch.time(i), out_, explains ? &trace : nullptr);
    const uint32_t party = parties.number(decision, [&](Napi::Object& names) { name_parties(names, decision); });
    const auto entries = out_.entries();
    decisions.insert(decisions.end(),
                     {static_cast<uint32_t>(decision.reason), party, static_cast<uint32_t>(entries.size()), by_timers});
    for (const auto& entry : entries) keep(entry.frame);
    if (explains) {
      Napi::Array said = Napi::Array::New(env);
      for (const std::string& step : trace.steps()) said.Set(said.Length(), step);
      steps.Set(steps.Length(), said);
    }
  }
  Napi::Object result = Napi::Object::New(env);
  result.Set("next", Napi::Number::New(env, i));
  result.Set("decisions", array_of<Napi::Uint32Array>(env, decisions));
  result.Set("timerTimes", array_of<Napi::BigUint64Array>(env, timer_times));
  result.Set("parties", parties.list);
  result.Set("sent", Napi::Buffer<uint8_t>::Copy(env, sent.data(), sent.size()));
  result.Set("sentFrames", array_of<Napi::Uint32Array>(env, sent_frames));
  result.Set("steps", steps);
  return result;
}

}  // namespace sluice::binding
