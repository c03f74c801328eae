// SPDX-License-Identifier: Apache-2.0
#include "client/json.h"

#include <algorithm>
#include <cstdint>

namespace sluice::client {

namespace {

constexpr std::string_view blanks = " \t\r\n";
constexpr char hex_digits[] = "0123456789abcdef";

void skip_blanks(std::string_view& rest) {
  rest.remove_prefix(std::min(rest.find_first_not_of(blanks), rest.size()));
}

// The string at the beginning of `rest`, quotes included. Empty when there is none.
std::string_view string_at(std::string_view rest) {
  if (!rest.starts_with('"')) return {};
  for (size_t at = 1; at < rest.size(); ++at) {
    if (rest[at] == '\\')
      ++at;
    else if (rest[at] == '"')
      return rest.substr(0, at + 1);
  }
  return {};
}

// The value at the beginning of `rest`, up to the comma or bracket behind it.
std::string_view value_at(std::string_view rest) {
  size_t depth = 0;
  for (size_t at = 0; at < rest.size(); ++at) {
    const char c = rest[at];
    if (c == '"') {
      const size_t length = string_at(rest.substr(at)).size();
      if (length == 0) return {};
      at += length - 1;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']' || c == ',') {
      if (depth == 0) return rest.substr(0, at);
      if (c != ',') --depth;
    }
  }
  return {};
}

std::optional<uint32_t> hexadecimal(std::string_view digits) {
  uint32_t value = 0;
  if (digits.size() < 4) return std::nullopt;
  for (const char c : digits.substr(0, 4)) {
    const size_t digit = std::string_view(hex_digits).find(static_cast<char>(c >= 'A' && c <= 'F' ? c + 32 : c));
    if (digit == std::string_view::npos) return std::nullopt;
    value = value << 4 | static_cast<uint32_t>(digit);
  }
  return value;
}

void append_utf8(std::string& to, uint32_t point) {
  const auto byte = [&](uint32_t bits) { to += static_cast<char>(bits); };
  if (point < 0x80) return byte(point);
  if (point < 0x800) {
    byte(0xc0 | point >> 6);
  } else if (point < 0x10000) {
    byte(0xe0 | point >> 12);
    byte(0x80 | (point >> 6 & 0x3f));
  } else {
    byte(0xf0 | point >> 18);
    byte(0x80 | (point >> 12 & 0x3f));
    byte(0x80 | (point >> 6 & 0x3f));
  }
  byte(0x80 | (point & 0x3f));
}

// The character behind a "\u"; two of them make one beyond the first 65,536. `digits` loses what was read.
std::optional<uint32_t> code_point(std::string_view& digits) {
  const std::optional<uint32_t> first = hexadecimal(digits);
  if (!first) return std::nullopt;
  digits.remove_prefix(4);
  const bool is_high = *first >= 0xd800 && *first < 0xdc00;
  if (!is_high || !digits.starts_with("\\u")) return first;
  const std::optional<uint32_t> second = hexadecimal(digits.substr(2));
  if (!second || *second < 0xdc00 || *second > 0xdfff) return first;
  digits.remove_prefix(6);
  return 0x10000 + ((*first - 0xd800) << 10 | (*second - 0xdc00));
}

}  // namespace

void append_json_string(std::string& to, std::string_view text) {
  to += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      to += '\\';
      to += c;
    } else if (static_cast<uint8_t>(c) < 0x20) {
      to += "\\u00";
      to += hex_digits[static_cast<uint8_t>(c) >> 4];
      to += hex_digits[c & 15];
    } else {
      to += c;
    }
  }
  to += '"';
}

std::optional<std::string_view> json_member(std::string_view json, std::string_view name) {
  skip_blanks(json);
  if (!json.starts_with('{')) return std::nullopt;
  do {
    json.remove_prefix(1);
    skip_blanks(json);
    const std::string_view key = string_at(json);
    if (key.empty()) return std::nullopt;
    json.remove_prefix(key.size());
    skip_blanks(json);
    if (!json.starts_with(':')) return std::nullopt;
    json.remove_prefix(1);
    skip_blanks(json);
    const std::string_view value = value_at(json);
    if (value.empty()) return std::nullopt;
    if (key.substr(1, key.size() - 2) == name) return value;
    json.remove_prefix(value.size());
  } while (json.starts_with(','));
  return std::nullopt;
}

std::optional<std::string> json_text(std::string_view json) {
  const std::string_view quoted = string_at(json);
  if (quoted.empty()) return std::nullopt;
  std::string text;
  for (std::string_view rest = quoted.substr(1, quoted.size() - 2); !rest.empty();) {
    const char c = rest[0];
    rest.remove_prefix(1);
    if (c != '\\') {
      text += c;
      continue;
    }
    const char escape = rest[0];
    rest.remove_prefix(1);
    constexpr std::string_view escapes = "bfnrt", meant = "\b\f\n\r\t";
    if (const size_t which = escapes.find(escape); which != std::string_view::npos) {
      text += meant[which];
    } else if (escape == 'u') {
      const std::optional<uint32_t> point = code_point(rest);
      if (!point) return std::nullopt;
      append_utf8(text, *point);
    } else {
      text += escape;
    }
  }
  return text;
}

}  // namespace sluice::client
