// SPDX-License-Identifier: Apache-2.0
#include "binding/capture_writer.h"

#include <utility>

#include "binding/captures.h"
#include "port/capture_batch.h"

namespace sluice::binding {

namespace {

template <typename Writer>
Napi::Value outcome(Napi::Env env, bool succeeded, const Writer& writer) {
  return succeeded ? env.Undefined() : Napi::Value(capture_failure(env, writer.error()));
}

bool is_array(const Napi::Value& value, napi_typedarray_type type) {
  return value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == type;
}

}  // namespace

Napi::Function CaptureWriter::define(Napi::Env env) {
  return DefineClass(env, "CaptureWriter",
                     {
                         InstanceMethod<&CaptureWriter::open_pcap>("openPcap"),
                         InstanceMethod<&CaptureWriter::open_pcapng>("openPcapng"),
                         InstanceMethod<&CaptureWriter::add_interface>("addInterface"),
                         InstanceMethod<&CaptureWriter::write_pcap>("writePcap"),
                         InstanceMethod<&CaptureWriter::write_pcap_batch>("writePcapBatch"),
                         InstanceMethod<&CaptureWriter::write_pcapng>("writePcapng"),
                         InstanceMethod<&CaptureWriter::flush>("flush"),
                         InstanceMethod<&CaptureWriter::close>("close"),
                     });
}

Napi::Value CaptureWriter::open_pcap(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto path = string_argument(info, 0, "path");
  const auto link_type = path ? uint32_argument(info, 1, "linkType") : std::nullopt;
  if (!link_type) return env.Undefined();
  auto file = std::make_unique<OpenFile>();
  if (const int failed = file->sink.open(*path)) return capture_failure(env, "open", failed);
  const auto precision = info[2].ToBoolean() ? port::PcapPrecision::nanoseconds : port::PcapPrecision::microseconds;
  auto& writer = file->writer.emplace<port::PcapWriter>(file->sink, precision);
  const bool begun = writer.begin(*link_type);
  const Napi::Value result = outcome(env, begun, writer);
  if (begun) file_ = std::move(file);
  return result;
}

Napi::Value CaptureWriter::open_pcapng(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto path = string_argument(info, 0, "path");
  if (!path) return env.Undefined();
  auto file = std::make_unique<OpenFile>();
  if (const int failed = file->sink.open(*path)) return capture_failure(env, "open", failed);
  auto& writer = file->writer.emplace<port::PcapngWriter>(file->sink);
  const bool begun = writer.begin();
  const Napi::Value result = outcome(env, begun, writer);
  if (begun) file_ = std::move(file);
  return result;
}

Napi::Value CaptureWriter::add_interface(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto* const writer = opened<port::PcapngWriter>(env);
  const auto link_type = writer != nullptr ? uint32_argument(info, 0, "linkType") : std::nullopt;
  const auto name = link_type ? string_argument(info, 1, "name") : std::nullopt;
  if (!name) return env.Undefined();
  return outcome(env, writer->add_interface(*link_type, *name), *writer);
}

Napi::Value CaptureWriter::write_pcap(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto* const writer = opened<port::PcapWriter>(env);
  const auto time = writer != nullptr ? uint64_argument(info, 0, "time") : std::nullopt;
  const auto original_length = time ? uint32_argument(info, 1, "originalLength") : std::nullopt;
  const auto bytes = original_length ? bytes_argument(info, 2, "bytes") : std::nullopt;
  if (!bytes) return env.Undefined();
  return outcome(env, writer->write(*time, *original_length, {bytes->Data(), bytes->ByteLength()}), *writer);
}

Napi::Value CaptureWriter::write_pcap_batch(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto* const writer = opened<port::PcapWriter>(env);
  const auto count = writer != nullptr ? uint32_argument(info, 0, "count") : std::nullopt;
  auto data = count ? bytes_argument(info, 1, "data") : std::nullopt;
  if (!data) return env.Undefined();
  if (is_array(info[2], napi_biguint64_array) && is_array(info[3], napi_uint32_array)) {
    auto times = info[2].As<Napi::BigUint64Array>();
    auto fields = info[3].As<Napi::Uint32Array>();
    const port::CaptureBatch batch{.data = {data->Data(), data->ByteLength()},
                                   .times = {times.Data(), times.ElementLength()},
                                   .fields = {fields.Data(), fields.ElementLength()}};
    if (port::is_within(batch, *count)) return outcome(env, port::write_batch(*writer, batch, *count), *writer);
  }
  Napi::TypeError::New(env, "times and fields must be those of a batch that holds so many packets")
      .ThrowAsJavaScriptException();
  return env.Undefined();
}

Napi::Value CaptureWriter::write_pcapng(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto* const writer = opened<port::PcapngWriter>(env);
  const auto time = writer != nullptr ? uint64_argument(info, 0, "time") : std::nullopt;
  const auto original_length = time ? uint32_argument(info, 1, "originalLength") : std::nullopt;
  const auto bytes = original_length ? bytes_argument(info, 2, "bytes") : std::nullopt;
  const auto interface_index = bytes ? uint32_argument(info, 3, "interfaceIndex") : std::nullopt;
  const auto comment = interface_index ? string_argument(info, 4, "comment") : std::nullopt;
  if (!comment) return env.Undefined();
  const bool written =
      writer->write(*interface_index, *time, *original_length, {bytes->Data(), bytes->ByteLength()}, *comment);
  return outcome(env, written, *writer);
}

Napi::Value CaptureWriter::flush(const Napi::CallbackInfo& info) {
  const int failed = file_ ? file_->sink.flush() : 0;
  return failed != 0 ? Napi::Value(capture_failure(info.Env(), "write", failed)) : info.Env().Undefined();
}

Napi::Value CaptureWriter::close(const Napi::CallbackInfo& info) {
  const int failed = file_ ? file_->sink.close() : 0;
  file_.reset();
  return failed != 0 ? Napi::Value(capture_failure(info.Env(), "write", failed)) : info.Env().Undefined();
}

template <typename Writer>
Writer* CaptureWriter::opened(Napi::Env env) {
  if (file_) {
    if (auto* const writer = std::get_if<Writer>(&file_->writer)) return writer;
  }
  Napi::TypeError::New(env, "no capture of this format is open").ThrowAsJavaScriptException();
  return nullptr;
}

}  // namespace sluice::binding
