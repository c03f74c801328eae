// SPDX-License-Identifier: Apache-2.0
// As much JSON as the messages of the admin socket need: text out, and members of an object in.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sluice::client {

// `text` as a JSON string, quotes included. Bytes that are no UTF-8 go as they are; the other end replaces them.
void append_json_string(std::string& to, std::string_view text);

// The value of a member of the object `json`, as it is written there. Nothing when `json` is no such object.
std::optional<std::string_view> json_member(std::string_view json, std::string_view name);

// The text of a JSON string. Nothing when `json` is no string.
std::optional<std::string> json_text(std::string_view json);

}  // namespace sluice::client
