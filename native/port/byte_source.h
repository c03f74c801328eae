// SPDX-License-Identifier: Apache-2.0
// Where the capture readers pull their bytes from. The readers do no I/O themselves.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "port/capture.h"
#include "wire/bytes.h"

namespace sluice::port {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Fills a part of `into` and says how much: 0 at the end of the input, a negative errno on failure.
  virtual ptrdiff_t read(wire::MutableBytes into) = 0;
};

// At most `chunk` bytes a call, so that tests and fuzz targets cross every boundary.
class MemorySource final : public ByteSource {
 public:
  explicit MemorySource(wire::Bytes bytes, size_t chunk = SIZE_MAX) : bytes_(bytes), chunk_(chunk) {}
  ptrdiff_t read(wire::MutableBytes into) override;

 private:
  wire::Bytes bytes_;
  size_t chunk_;
};

// A regular file or a pipe: it is read forwards only.
class FileSource final : public ByteSource {
 public:
  FileSource() = default;
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;
  ~FileSource() override;

  // 0, or the errno of open(2).
  int open(const std::string& path);
  ptrdiff_t read(wire::MutableBytes into) override;

 private:
  int fd_ = -1;
};

// The part of the input that a reader looks at: a fixed buffer that slides over the source.
class ByteWindow {
 public:
  // Holds the longest frame with the headers and options of its record, and keeps reads large.
  static constexpr size_t capacity = 2 * max_frame_bytes;

  explicit ByteWindow(ByteSource& source);

  // The next `count` bytes (at most `capacity`), fewer when the input ends before; valid until the next call.
  wire::Bytes peek(size_t count);
  // Moves past bytes that were peeked; they stay readable until the next peek or skip.
  void consume(size_t count);
  // Moves past `count` bytes of any number; returns how many there were.
  uint64_t skip(uint64_t count);

  // Of the first byte that is not consumed, from the start of the input.
  uint64_t offset() const { return offset_; }
  // Of the read that failed, which then looks like the end of the input; 0 if none did.
  int system_errno() const { return system_errno_; }

 private:
  void refill(size_t count);

  ByteSource& source_;
  std::unique_ptr<uint8_t[]> buffer_;
  size_t begin_ = 0;
  size_t end_ = 0;
  uint64_t offset_ = 0;
  int system_errno_ = 0;
  bool ended_ = false;
};

}  // namespace sluice::port
