// SPDX-License-Identifier: Apache-2.0
// Records why the director decides as it does, for those who ask (`--explain`, `sluice explain`). Code that decides
// takes a `Trace*`, which is nullptr for ordinary packets, and records its reasons on the way. So there is no second
// copy of the logic that could disagree.
#pragma once

#include <cstdarg>
#include <cstdio>
#include <string>
#include <vector>

namespace sluice::director {

class Trace {
 public:
  [[gnu::format(printf, 2, 3)]] void say(const char* format, ...) {
    char line[512];  // one step of a decision; longer ones are cut
    va_list args;
    va_start(args, format);
    std::vsnprintf(line, sizeof line, format, args);
    va_end(args);
    steps_.emplace_back(line);
  }
  const std::vector<std::string>& steps() const { return steps_; }
  void clear() { steps_.clear(); }

 private:
  std::vector<std::string> steps_;
};

}  // namespace sluice::director
