// SPDX-License-Identifier: Apache-2.0
// Why the host's kernel did not do what it was asked to do.
#pragma once

#include <cerrno>
#include <cstring>
#include <string>

namespace sluice::host {

struct Failure {
  std::string message;  // what was tried, with which value, and what to do
  int error = 0;        // errno, or 0
};

// Says so and returns false, for `return fail(failure, …)`.
inline bool fail(Failure& failure, std::string what, int error = 0) {
  if (error != 0) what += std::string(": ") + std::strerror(error);
  failure = {std::move(what), error};
  return false;
}

}  // namespace sluice::host
