// SPDX-License-Identifier: Apache-2.0
// What the writers of both capture formats have in common: the sink and the error that ended the writing. The same
// packets make the same bytes: little-endian, no clock, no name of the host or of the program's version.
#pragma once

#include <cstdint>
#include <string>

#include "port/byte_sink.h"
#include "port/capture.h"

namespace sluice::port {

class RecordWriter {
 public:
  explicit RecordWriter(ByteSink& sink) : sink_(sink) {}

  const CaptureError& error() const { return error_; }

 protected:
  // Each false with error(). A misuse writes nothing, and the writer can go on; after the sink failed, the end of the
  // file is unknown and every further call reports that again.
  bool misuse(std::string problem, std::string remedy);
  bool check_packet(wire::Bytes bytes, uint32_t original_length);
  bool emit(wire::Bytes bytes);

  bool broken() const { return error_.fault == CaptureFault::system && error_.system_errno != 0; }

 private:
  ByteSink& sink_;
  uint64_t offset_ = 0;
  CaptureError error_;
};

}  // namespace sluice::port
