// SPDX-License-Identifier: Apache-2.0
#include "wire/text.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>

namespace sluice::wire {

void append(std::string& out, const char* format, ...) {
  char text[256];  // longer than any one piece that a printer writes: two IPv6 addresses with ports are below 110
  va_list args;
  va_start(args, format);
  const int length = std::vsnprintf(text, sizeof text, format, args);
  va_end(args);
  if (length > 0) out.append(text, std::min(static_cast<size_t>(length), sizeof text - 1));
}

const char* find_name(std::span<const NumberName> names, uint32_t number) {
  for (const NumberName& entry : names) {
    if (entry.number == number) return entry.name;
  }
  return nullptr;
}

}  // namespace sluice::wire
