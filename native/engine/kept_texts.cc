// SPDX-License-Identifier: Apache-2.0
#include "engine/kept_texts.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sluice::engine {

namespace {

bool write_at(int file, uint64_t at, const void* bytes, size_t size) {
  const auto* const from = static_cast<const char*>(bytes);
  for (size_t done = 0; done < size;) {
    const ssize_t written = pwrite(file, from + done, size - done, static_cast<off_t>(at + done));
    if (written <= 0) return false;
    done += static_cast<size_t>(written);
  }
  return true;
}

// Gives where the next text goes; nothing where there is no memory.
std::optional<uint64_t> write_text(int file, uint64_t at, std::string_view text) {
  const uint64_t length = text.size(), next = at + sizeof length + length;
  const bool is_written = write_at(file, at, &length, sizeof length) &&
                          write_at(file, at + sizeof length, text.data(), text.size()) &&
                          write_at(file, 0, &next, sizeof next);
  return is_written ? std::optional(next) : std::nullopt;
}

}  // namespace

bool KeptTexts::begin(std::string_view text) {
  host::Descriptor file(memfd_create("sluice configuration", MFD_CLOEXEC));
  if (!file) return false;
  const auto valid = write_text(file.get(), sizeof valid_, text);
  if (!valid) return false;
  file_ = std::move(file);
  valid_ = *valid;
  return true;
}

bool KeptTexts::add(std::string_view text) {
  if (!file_) return false;
  const auto valid = write_text(file_.get(), valid_, text);
  if (valid) valid_ = *valid;
  return valid.has_value();
}

std::optional<std::vector<std::string>> KeptTexts::read(int file) {
  struct stat status;
  uint64_t valid = 0;
  if (fstat(file, &status) != 0 || pread(file, &valid, sizeof valid, 0) != sizeof valid) return std::nullopt;
  if (valid < sizeof valid || valid > static_cast<uint64_t>(status.st_size)) return std::nullopt;
  std::vector<std::string> texts;
  for (uint64_t at = sizeof valid; at < valid;) {
    uint64_t length = 0;
    if (valid - at < sizeof length || pread(file, &length, sizeof length, static_cast<off_t>(at)) != sizeof length) {
      return std::nullopt;
    }
    at += sizeof length;
    if (length > valid - at) return std::nullopt;
    std::string& text = texts.emplace_back(length, '\0');
    if (pread(file, text.data(), length, static_cast<off_t>(at)) != static_cast<ssize_t>(length)) return std::nullopt;
    at += length;
  }
  return texts;
}

}  // namespace sluice::engine
