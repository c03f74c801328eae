// SPDX-License-Identifier: Apache-2.0
// The command line of a benchmark: NAME=VALUE words, and figures as lines of JSON.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

namespace sluice::bench {

class Words {
 public:
  // Values by name with their defaults. A name that is not listed may not be given.
  explicit Words(std::map<std::string, std::string, std::less<>> defaults) : values_(std::move(defaults)) {}

  // False for a word that is not NAME=VALUE, or whose name is unknown.
  bool read(int argc, char** argv, int first) {
    for (int i = first; i < argc; ++i) {
      const std::string_view word = argv[i];
      const size_t equals = word.find('=');
      const auto entry = values_.find(word.substr(0, equals));
      if (equals == std::string_view::npos || entry == values_.end()) return false;
      entry->second = word.substr(equals + 1);
    }
    return true;
  }

  const std::string& text(std::string_view name) const { return values_.find(name)->second; }
  uint64_t number(std::string_view name) const { return std::strtoull(text(name).c_str(), nullptr, 10); }
  double seconds(std::string_view name) const { return std::strtod(text(name).c_str(), nullptr); }

 private:
  std::map<std::string, std::string, std::less<>> values_;
};

inline void print_figure(const char* figure, double value, const char* unit) {
  std::printf("{\"figure\":\"%s\",\"value\":%.3f,\"unit\":\"%s\"}\n", figure, value, unit);
  std::fflush(stdout);
}

}  // namespace sluice::bench
