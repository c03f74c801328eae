// SPDX-License-Identifier: Apache-2.0
// What must hold for any bytes that are read as a capture, and for captures that are written from its packets.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "port/capture_bytes.h"

namespace sluice::port {

inline void require(bool holds) {
  if (!holds) std::abort();
}

inline void check_reading(const Reading& reading, size_t size) {
  for (const ReadPacket& packet : reading.packets) {
    require(packet.bytes.size() <= max_frame_bytes);
    require(packet.original_length >= packet.bytes.size());
    require(supported_link_type(packet.link_type) == packet.link_type);
  }
  if (!reading.failed) return;
  require(reading.error.offset <= size);
  require(!reading.error.problem.empty() && !reading.error.remedy.empty());
  require(reading.error.fault != CaptureFault::system && reading.error.fault != CaptureFault::misuse);
}

// Reads the input at once and in small pieces: bytes beyond the end of the input must not matter.
inline Reading fuzz_reading(wire::Bytes input) {
  const Reading reading = read_all(input);
  check_reading(reading, input.size());
  const Reading in_pieces = read_all(input, 1 + input.size() % 7);
  require(in_pieces.packets == reading.packets);
  require(in_pieces.failed == reading.failed);
  require(in_pieces.error.problem == reading.error.problem && in_pieces.error.offset == reading.error.offset);
  return reading;
}

}  // namespace sluice::port
