// SPDX-License-Identifier: Apache-2.0
#include "port/byte_source.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace sluice::port {

ptrdiff_t MemorySource::read(wire::MutableBytes into) {
  const size_t count = std::min({into.size(), bytes_.size(), chunk_});
  std::copy_n(bytes_.begin(), count, into.begin());
  bytes_ = bytes_.subspan(count);
  return static_cast<ptrdiff_t>(count);
}

FileSource::~FileSource() {
  if (fd_ >= 0) ::close(fd_);
}

int FileSource::open(const std::string& path) {
  fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  return fd_ < 0 ? errno : 0;
}

ptrdiff_t FileSource::read(wire::MutableBytes into) {
  for (;;) {
    const ssize_t count = ::read(fd_, into.data(), into.size());
    if (count >= 0) return count;
    if (errno != EINTR) return -errno;
  }
}

ByteWindow::ByteWindow(ByteSource& source)
    : source_(source), buffer_(std::make_unique_for_overwrite<uint8_t[]>(capacity)) {}

wire::Bytes ByteWindow::peek(size_t count) {
  if (end_ - begin_ < count) refill(count);
  return {buffer_.get() + begin_, std::min(count, end_ - begin_)};
}

void ByteWindow::consume(size_t count) {
  begin_ += count;
  offset_ += count;
}

uint64_t ByteWindow::skip(uint64_t count) {
  uint64_t skipped = 0;
  while (skipped < count) {
    const size_t wanted = static_cast<size_t>(std::min<uint64_t>(count - skipped, capacity));
    const size_t found = peek(wanted).size();
    consume(found);
    skipped += found;
    if (found < wanted) break;
  }
  return skipped;
}

// Moves the remaining bytes to the front, then reads as much as fits until `count` bytes are present.
void ByteWindow::refill(size_t count) {
  std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
  while (end_ < count && !ended_) {
    const ptrdiff_t found = source_.read({buffer_.get() + end_, capacity - end_});
    if (found <= 0) {
      ended_ = true;
      system_errno_ = static_cast<int>(-found);
    } else {
      end_ += static_cast<size_t>(found);
    }
  }
}

}  // namespace sluice::port
