// SPDX-License-Identifier: Apache-2.0
// Any bytes as JSON, and any bytes as text that is written as JSON and read again.
#include <cstdint>
#include <cstdlib>

#include "client/json.h"

using namespace sluice::client;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  (void)json_text(bytes);
  if (const auto member = json_member(bytes, "error")) (void)json_member(*member, "message");

  std::string object = "{\"first\":";
  append_json_string(object, bytes);
  object += ",\"second\":[";
  append_json_string(object, bytes);
  object += "]}";
  const auto first = json_member(object, "first"), second = json_member(object, "second");
  require(first && second && json_text(*first) == bytes && second->size() == first->size() + 2);
  return 0;
}
