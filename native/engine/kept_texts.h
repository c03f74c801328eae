// SPDX-License-Identifier: Apache-2.0
// Texts in a memory file, for a process after this one (crash_state.h): a first text, and those that were added to it.
// So a change of a large configuration is kept in as many bytes as the change has.
//
//   ┌────────┬────────┬──────┬────────┬──────┬─ ─
//   │ valid  │ length │ text │ length │ text │
//   └────────┴────────┴──────┴────────┴──────┴─ ─
//    8 bytes  8 bytes
//
// `valid` is how many bytes of the file count. It is written last, in a single call, so that a process may end between
// any two bytes that it writes: what it was about to add is not there then.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/descriptor.h"

namespace sluice::engine {

class KeptTexts {
 public:
  // Makes a file with one text. False where there is no memory for it; the file that was there before stays.
  bool begin(std::string_view text);
  // False where there is no memory for it, or no file: the texts are as they were.
  bool add(std::string_view text);
  int file() const { return file_.get(); }
  // Nothing where the file is not one of texts.
  static std::optional<std::vector<std::string>> read(int file);

 private:
  host::Descriptor file_;
  uint64_t valid_ = 0;
};

}  // namespace sluice::engine
