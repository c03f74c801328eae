// SPDX-License-Identifier: Apache-2.0
// What could not be done as configured, and why: one notice for each condition, for as long as the condition lasts.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace sluice::engine {

class Notices {
 public:
  // A condition that lasts has its newest notice.
  void set(const std::string& condition, std::string notice) { notices_[condition] = std::move(notice); }
  void clear(const std::string& condition) { notices_.erase(condition); }

  std::vector<std::string> all() const {
    std::vector<std::string> all;
    for (const auto& [condition, notice] : notices_) all.push_back(notice);
    return all;
  }

 private:
  std::map<std::string, std::string> notices_;
};

}  // namespace sluice::engine
