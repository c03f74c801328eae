// SPDX-License-Identifier: Apache-2.0
// One request to the admin socket of a running Sluice.
#pragma once

#include <string>
#include <string_view>

namespace sluice::client {

struct Answer {
  int status = 0;    // of HTTP; 0 when no answer came
  std::string body;  // or, without an answer, why none came
};

// Sends JSON to `path` by POST and waits for the answer.
Answer ask(const std::string& socket, std::string_view path, std::string_view json);

}  // namespace sluice::client
