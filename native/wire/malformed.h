// SPDX-License-Identifier: Apache-2.0
// What can be wrong with a header, and the result of every parse: a checked view, or one of these reasons.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

#include "wire/bytes.h"

namespace sluice::wire {

enum class Malformed : uint8_t {
  ok,
  truncated,             // shorter than the fixed part of the header
  bad_version,           // IP version, GRE version, GUE variant
  header_too_short,      // the header length field is below the protocol's minimum
  header_beyond_packet,  // the header length field reaches past the packet
  length_lies,           // a total length shorter than its header or longer than the bytes that arrived
  bad_option,            // an option's length is below its minimum or runs past the header
  bad_format,            // a field holds a value that the format does not allow (ARP sizes, reserved GRE bits)
  tiny_fragment,         // a first fragment that does not hold the whole header chain (RFC 1858, RFC 7112)
  fragment_overflow,     // a fragment that would end past 65,535 bytes ("ping of death")
  too_many_headers,      // more extension headers than the bounded walk follows
  jumbogram,             // RFC 2675: longer than any frame here
};
inline constexpr size_t malformed_count = 12;

inline constexpr std::array<std::string_view, malformed_count> malformed_names = {
    "ok",         "truncated",  "bad-version",   "header-too-short",  "header-beyond-packet", "length-lies",
    "bad-option", "bad-format", "tiny-fragment", "fragment-overflow", "too-many-headers",     "jumbogram",
};

inline constexpr std::string_view name(Malformed reason) {
  return malformed_names[static_cast<size_t>(reason)];
}

// Either a view, or the reason why there is none. Test it before you dereference it.
template <typename View>
class Parsed {
 public:
  Parsed(Malformed reason) : reason_(reason) {}
  Parsed(View view) : view_(view) {}

  explicit operator bool() const { return reason_ == Malformed::ok; }
  Malformed reason() const { return reason_; }
  const View& operator*() const { return view_; }
  const View* operator->() const { return &view_; }
  View& operator*() { return view_; }
  View* operator->() { return &view_; }

 private:
  Malformed reason_ = Malformed::ok;
  View view_;
};

// The base of all views: bytes whose length has been checked, read at fixed offsets. `Byte` is `const uint8_t` for
// views that read, `uint8_t` for views that rewrite. A view is two words and is passed by value.
template <typename Byte>
class HeaderView {
 public:
  HeaderView() = default;
  explicit HeaderView(std::span<Byte> bytes) : bytes_(bytes) {}

  // The header and all it carries.
  std::span<Byte> bytes() const { return bytes_; }

 protected:
  Byte* at(size_t offset) const { return bytes_.data() + offset; }
  uint8_t u8(size_t offset) const { return bytes_[offset]; }
  uint16_t be16(size_t offset) const { return load_be16(at(offset)); }
  uint32_t be32(size_t offset) const { return load_be32(at(offset)); }

  std::span<Byte> bytes_;
};

template <typename Byte>
concept Writable = !std::is_const_v<Byte>;

}  // namespace sluice::wire
