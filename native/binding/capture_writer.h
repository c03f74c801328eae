// SPDX-License-Identifier: Apache-2.0
// A capture file that JavaScript writes.
#pragma once

#include <napi.h>

#include <memory>
#include <variant>

#include "port/byte_sink.h"
#include "port/pcap_writer.h"
#include "port/pcapng_writer.h"

namespace sluice::binding {

// Every method returns a failure, or undefined unless its comment says otherwise. If a writer is collected without
// close(), its file is still complete, unless the disk failed.
class CaptureWriter : public Napi::ObjectWrap<CaptureWriter> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit CaptureWriter(const Napi::CallbackInfo& info) : ObjectWrap(info) {}

 private:
  struct OpenFile {
    port::FileSink sink;
    std::variant<std::monostate, port::PcapWriter, port::PcapngWriter> writer;
  };

  Napi::Value open_pcap(const Napi::CallbackInfo& info);      // (path, linkType, nanoseconds: boolean)
  Napi::Value open_pcapng(const Napi::CallbackInfo& info);    // (path)
  Napi::Value add_interface(const Napi::CallbackInfo& info);  // (linkType, name); pcapng
  Napi::Value write_pcap(const Napi::CallbackInfo& info);     // (time: bigint, originalLength, bytes: Uint8Array)
  // (count, data: Uint8Array, times: BigUint64Array, fields: Uint32Array), in the layout of CaptureReader.read()
  Napi::Value write_pcap_batch(const Napi::CallbackInfo& info);
  Napi::Value write_pcapng(const Napi::CallbackInfo& info);  // (…the same, interfaceIndex, comment)
  Napi::Value flush(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);  // does nothing the second time

  // The open writer of a format. If there is none: null, and a TypeError is pending.
  template <typename Writer>
  Writer* opened(Napi::Env env);

  std::unique_ptr<OpenFile> file_;
};

}  // namespace sluice::binding
