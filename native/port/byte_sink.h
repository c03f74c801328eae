// SPDX-License-Identifier: Apache-2.0
// Where the capture writers put their bytes. The writers do no I/O themselves.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "wire/bytes.h"

namespace sluice::port {

class ByteSink {
 public:
  virtual ~ByteSink() = default;
  // 0, or the errno of what failed; the bytes were then written in part or not at all.
  virtual int write(wire::Bytes bytes) = 0;
};

class MemorySink final : public ByteSink {
 public:
  int write(wire::Bytes bytes) override;
  wire::Bytes bytes() const { return bytes_; }

 private:
  std::vector<uint8_t> bytes_;
};

// Creates or truncates a file; writes it in large pieces.
class FileSink final : public ByteSink {
 public:
  FileSink();
  FileSink(const FileSink&) = delete;
  FileSink& operator=(const FileSink&) = delete;
  // Writes what is buffered; a caller who wants to know whether that worked calls close() before.
  ~FileSink() override;

  // Each returns 0 or an errno. Once a write has failed, the file has a gap: every further one fails with that errno.
  int open(const std::string& path);
  int write(wire::Bytes bytes) override;
  int flush();
  // Does nothing the second time.
  int close();

 private:
  int write_through(wire::Bytes bytes);

  std::unique_ptr<uint8_t[]> buffer_;
  size_t used_ = 0;
  int fd_ = -1;
  int failed_ = 0;
};

}  // namespace sluice::port
