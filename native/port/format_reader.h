// SPDX-License-Identifier: Apache-2.0
// What the readers of both capture formats have in common: the input, its byte order, the packets counted so far and
// the error that ended the reading.
#pragma once

#include <cstdint>
#include <string>

#include "port/byte_order.h"
#include "port/byte_source.h"
#include "port/capture.h"

namespace sluice::port {

// For files that were cut or changed on the way; nothing else brings the rest back.
inline constexpr const char* damage_remedy = "copy or capture the file again for the rest";

class FormatReader {
 public:
  explicit FormatReader(ByteWindow& input) : input_(input) {}

  const CaptureError& error() const { return error_; }

 protected:
  // Both return false, for the caller to return; after them every call of the reader reports the error again.
  bool fail(CaptureFault fault, uint64_t offset, std::string problem, std::string remedy);
  // The input ended, or could not be read, after `found` of the `expected` bytes of the thing at `offset`.
  bool fail_short(uint64_t offset, const std::string& what, uint64_t expected, uint64_t found);

  // "packet 7", the one that is being read.
  std::string this_packet() const { return "packet " + std::to_string(packets_ + 1); }
  // "; the 6 packets before this offset are whole", the end of a problem's text.
  std::string what_is_kept() const;

  ByteWindow& input_;
  ByteOrder order_;
  uint64_t packets_ = 0;
  bool failed_ = false;

 private:
  CaptureError error_;
};

}  // namespace sluice::port
