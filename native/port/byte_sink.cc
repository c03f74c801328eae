// SPDX-License-Identifier: Apache-2.0
#include "port/byte_sink.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace sluice::port {

namespace {

constexpr size_t buffer_bytes = 65'536;  // some hundred records per system call

}  // namespace

int MemorySink::write(wire::Bytes bytes) {
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  return 0;
}

FileSink::FileSink() : buffer_(std::make_unique_for_overwrite<uint8_t[]>(buffer_bytes)) {}

FileSink::~FileSink() {
  close();
}

int FileSink::open(const std::string& path) {
  fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);  // reduced by the umask, as in tcpdump
  return fd_ < 0 ? errno : 0;
}

int FileSink::write(wire::Bytes bytes) {
  if (bytes.size() > buffer_bytes - used_) {
    if (const int failed = flush()) return failed;
    if (bytes.size() > buffer_bytes) return write_through(bytes);
  }
  std::copy(bytes.begin(), bytes.end(), buffer_.get() + used_);
  used_ += bytes.size();
  return 0;
}

int FileSink::flush() {
  const size_t used = used_;
  used_ = 0;
  return write_through({buffer_.get(), used});
}

int FileSink::close() {
  if (fd_ < 0) return 0;
  const int unwritten = flush();  // Linux closes the file whatever close(2) returns
  const int unclosed = ::close(fd_) < 0 ? errno : 0;
  fd_ = -1;
  return unwritten != 0 ? unwritten : unclosed;
}

int FileSink::write_through(wire::Bytes bytes) {
  while (!bytes.empty() && failed_ == 0) {
    const ssize_t count = ::write(fd_, bytes.data(), bytes.size());
    if (count >= 0) {
      bytes = bytes.subspan(static_cast<size_t>(count));
    } else if (errno != EINTR) {
      failed_ = errno;
    }
  }
  return failed_;
}

}  // namespace sluice::port
