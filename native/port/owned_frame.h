// SPDX-License-Identifier: Apache-2.0
// A frame in memory of its own, with the room before it that a director needs.
#pragma once

#include <algorithm>
#include <vector>

#include "director/network/frame.h"
#include "wire/bytes.h"

namespace sluice::port {

class OwnedFrame {
 public:
  // Takes over everything but the memory.
  explicit OwnedFrame(const director::Frame& frame) : OwnedFrame(wire::Bytes{frame.data, frame.length}, frame) {}
  explicit OwnedFrame(wire::Bytes bytes, const director::Frame& attributes = {})
      : memory_(director::required_headroom + bytes.size()), attributes_(attributes) {
    std::ranges::copy(bytes, memory_.begin() + director::required_headroom);
  }

  director::Frame frame() {
    director::Frame frame = attributes_;
    frame.data = memory_.data() + director::required_headroom;
    frame.length = static_cast<uint32_t>(memory_.size() - director::required_headroom);
    return frame;
  }
  wire::Bytes bytes() const { return wire::Bytes(memory_).subspan(director::required_headroom); }

 private:
  std::vector<uint8_t> memory_;
  director::Frame attributes_;
};

}  // namespace sluice::port
