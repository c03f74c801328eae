// SPDX-License-Identifier: Apache-2.0
#include "port/format_reader.h"

#include <utility>

namespace sluice::port {

bool FormatReader::fail(CaptureFault fault, uint64_t offset, std::string problem, std::string remedy) {
  failed_ = true;
  error_ = {.fault = fault, .offset = offset, .problem = std::move(problem), .remedy = std::move(remedy)};
  return false;
}

bool FormatReader::fail_short(uint64_t offset, const std::string& what, uint64_t expected, uint64_t found) {
  if (input_.system_errno() != 0) {
    fail(CaptureFault::system, offset, "reading " + what + " failed" + what_is_kept(), "");
    error_.system_errno = input_.system_errno();
    error_.system_call = "read";
    return false;
  }
  return fail(CaptureFault::truncated, offset,
              "the file ends inside " + what + ": expected " + std::to_string(expected) + " bytes, found " +
                  std::to_string(found) + what_is_kept(),
              damage_remedy);
}

std::string FormatReader::what_is_kept() const {
  if (packets_ == 0) return "; no packet precedes this offset";
  return packets_ == 1 ? "; the packet before this offset is whole"
                       : "; the " + std::to_string(packets_) + " packets before this offset are whole";
}

}  // namespace sluice::port
