// SPDX-License-Identifier: Apache-2.0
// A frame in memory of its own, with the room before it that a director needs.
#pragma once

#include <algorithm>
#include <vector>

#include "lvs/frame.h"
#include "wire/bytes.h"

namespace sluice::port {

class OwnedFrame {
 public:
  // Takes over everything but the memory.
  explicit OwnedFrame(const lvs::Frame& frame) : OwnedFrame(wire::Bytes{frame.data, frame.length}, frame) {}
  explicit OwnedFrame(wire::Bytes bytes, const lvs::Frame& attributes = {})
      : memory_(lvs::required_headroom + bytes.size()), attributes_(attributes) {
    std::ranges::copy(bytes, memory_.begin() + lvs::required_headroom);
  }

  lvs::Frame frame() {
    lvs::Frame frame = attributes_;
    frame.data = memory_.data() + lvs::required_headroom;
    frame.length = static_cast<uint32_t>(memory_.size() - lvs::required_headroom);
    return frame;
  }
  wire::Bytes bytes() const { return wire::Bytes(memory_).subspan(lvs::required_headroom); }

 private:
  std::vector<uint8_t> memory_;
  lvs::Frame attributes_;
};

}  // namespace sluice::port
