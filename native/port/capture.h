// SPDX-License-Identifier: Apache-2.0
// What the readers and writers of capture files share: a captured packet, the link types, the error value.
#pragma once

#include <cstdint>
#include <string>

#include "wire/bytes.h"

namespace sluice::port {

// libpcap's MAXIMUM_SNAPLEN: no tool writes a longer frame, so a longer one is a corrupt length, and memory stays
// bounded.
inline constexpr uint32_t max_frame_bytes = 262'144;

// Link types of the registry at tcpdump.org/linktypes.html. The readers report only these four.
namespace link_type {
inline constexpr uint16_t ethernet = 1;
inline constexpr uint16_t raw_ip = 101;  // IPv4 or IPv6, told apart by the version nibble
inline constexpr uint16_t ipv4 = 228;
inline constexpr uint16_t ipv6 = 229;
}  // namespace link_type

inline constexpr uint64_t nanoseconds_per_second = 1'000'000'000;

struct CapturedPacket {
  uint64_t time_ns = 0;          // since 1970-01-01 UTC
  uint32_t interface_index = 0;  // counted through the file, over all sections of a pcapng
  uint16_t link_type = 0;
  uint32_t original_length = 0;  // on the wire; never less than bytes.size()
  wire::Bytes bytes;             // valid until the reader's next call
};

enum class CaptureFault : uint8_t {
  truncated,    // the file ends inside a record
  corrupt,      // a field contradicts the format
  unsupported,  // a valid file with something in it that we do not read or write
  system,       // a system call failed: system_errno says how
  misuse,       // the caller of a writer gave what a file cannot hold
};

struct CaptureError {
  CaptureFault fault = CaptureFault::corrupt;
  uint64_t offset = 0;  // of the record or field at fault, from the start of the file
  std::string problem;  // what is wrong, with which value; without the offset and the file's name
  std::string remedy;   // what to do, in the imperative; empty when the system's error says it
  int system_errno = 0;
  const char* system_call = "";
};

enum class ReadStatus : uint8_t { packet, end, error };

// The link type that the readers report for the one in a file: itself, or raw_ip for the numbers 12 and 14 that BSD
// systems wrote for it. 0 when it is not supported.
uint16_t supported_link_type(uint32_t in_file);

// For a link type that is not: "link type 113 (Linux cooked, SLL) is not supported, …", and what to do about it.
std::string unsupported_link_type(uint32_t in_file);
std::string link_type_remedy(uint32_t in_file);

}  // namespace sluice::port
