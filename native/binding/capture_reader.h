// SPDX-License-Identifier: Apache-2.0
// A capture file that JavaScript reads.
#pragma once

#include <napi.h>

#include <memory>

#include "port/capture_batch.h"

namespace sluice::binding {

class CaptureReader : public Napi::ObjectWrap<CaptureReader> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit CaptureReader(const Napi::CallbackInfo& info) : ObjectWrap(info) {}
  void Finalize(Napi::Env env) override;

 private:
  struct OpenFile {
    port::FileSource source;
    port::CaptureReader reader{source};
    port::BatchReader batches{reader};
  };

  Napi::Value open(const Napi::CallbackInfo& info);  // (path) → the format, or a failure
  Napi::Value read(const Napi::CallbackInfo& info);  // (data: Uint8Array, times: BigUint64Array, fields: Uint32Array)
                                                     // → number of packets, or a failure
  Napi::Value has_nanoseconds(
      const Napi::CallbackInfo& info);                // () → whether time stamps can be finer than a microsecond
  Napi::Value close(const Napi::CallbackInfo& info);  // (): does nothing the second time
  void release(Napi::Env env);

  std::unique_ptr<OpenFile> file_;
};

}  // namespace sluice::binding
