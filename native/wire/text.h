// SPDX-License-Identifier: Apache-2.0
// Shared by the printers of the protocols: formatted text at the end of a string, and names of numbers.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

namespace sluice::wire {

[[gnu::format(printf, 2, 3)]] void append(std::string& out, const char* format, ...);

struct NumberName {
  uint32_t number;
  const char* name;
};
// nullptr where the table has no such number.
const char* find_name(std::span<const NumberName> names, uint32_t number);

}  // namespace sluice::wire
