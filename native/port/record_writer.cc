// SPDX-License-Identifier: Apache-2.0
#include "port/record_writer.h"

#include <utility>

namespace sluice::port {

bool RecordWriter::misuse(std::string problem, std::string remedy) {
  if (broken()) return false;
  error_ = {
      .fault = CaptureFault::misuse, .offset = offset_, .problem = std::move(problem), .remedy = std::move(remedy)};
  return false;
}

bool RecordWriter::check_packet(wire::Bytes bytes, uint32_t original_length) {
  if (bytes.size() > max_frame_bytes) {
    return misuse("a packet of " + std::to_string(bytes.size()) + " bytes does not fit a capture, at most " +
                      std::to_string(max_frame_bytes) + " do",
                  "cut it and keep its original length");
  }
  if (original_length < bytes.size()) {
    return misuse("an original length of " + std::to_string(original_length) + " is less than the packet's " +
                      std::to_string(bytes.size()) + " bytes",
                  "give the length that it had on the wire");
  }
  return true;
}

bool RecordWriter::emit(wire::Bytes bytes) {
  if (broken()) return false;
  if (const int failed = sink_.write(bytes)) {
    error_ = {.fault = CaptureFault::system,
              .offset = offset_,
              .problem = "writing the capture failed",
              .remedy = "",
              .system_errno = failed,
              .system_call = "write"};
    return false;
  }
  offset_ += bytes.size();
  return true;
}

}  // namespace sluice::port
