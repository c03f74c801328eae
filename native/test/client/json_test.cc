// SPDX-License-Identifier: Apache-2.0
#include "client/json.h"

#include <doctest/doctest.h>

using namespace sluice::client;

namespace {

std::string written(std::string_view text) {
  std::string to;
  append_json_string(to, text);
  return to;
}

}  // namespace

TEST_CASE("text is written with the escapes that JSON needs") {
  CHECK(written("-A \"x\"\\\n\t\x01 é") == "\"-A \\\"x\\\"\\\\\\u000a\\u0009\\u0001 é\"");
  CHECK(json_text(written("-A \"x\"\\\n\t\x01 é")) == "-A \"x\"\\\n\t\x01 é");
}

TEST_CASE("text is read with every escape of JSON") {
  CHECK(json_text("\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\"") == "a\"\\/\b\f\n\r\t");
  CHECK(json_text("\"\\u0041\\u00e9\\u20AC\\ud83d\\ude00\"") == "Aé€😀");
  CHECK(json_text("\"\\u12\"") == std::nullopt);
  CHECK(json_text("\"open") == std::nullopt);
  CHECK(json_text("17") == std::nullopt);
}

TEST_CASE("a member is found among members of any kind") {
  const std::string_view json = R"({ "a": [1, {"status": 2}, "},]"], "b":{"status": "]"},"status" : 255, "z": "\"" } )";
  CHECK(json_member(json, "status") == "255");
  CHECK(json_member(*json_member(json, "b"), "status") == R"("]")");
  CHECK(json_member(json, "z") == R"("\"" )");
  CHECK(json_member(json, "y") == std::nullopt);
}

TEST_CASE("what is no object has no members") {
  for (const std::string_view json :
       {"", "[]", "{", "{\"status", "{\"status\"", "{\"status\":", "{\"status\":1", "{1:2}"}) {
    CAPTURE(json);
    CHECK(json_member(json, "status") == std::nullopt);
  }
}
