// SPDX-License-Identifier: Apache-2.0
// Frames that cannot leave because the link-layer address of their next hop is not yet known. Some frames are kept for
// a short time, as a host's kernel does; a new frame replaces the oldest.
#pragma once

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "core/time.h"
#include "director/network/frame.h"

namespace sluice::engine {

class WaitingFrames {
 public:
  // As long as a host waits for a neighbour's first answer.
  static constexpr Time patience = second;
  // Linux keeps 212,992 bytes for each neighbour (arp(7), unres_qlen_bytes), which are some 270 small packets.
  static constexpr size_t places = 256;

  struct Waiting {
    std::vector<uint8_t> bytes;
    director::Frame frame;
    Time since = 0;
  };

  size_t size() const { return count_; }

  // Copies a frame as it was received. It replaces the oldest one if there is no room.
  void keep(const director::Frame& frame, Time since) {
    Waiting& place = waiting_[next_];
    next_ = (next_ + 1) % places;
    count_ = std::min(count_ + 1, places);
    place.bytes.resize(director::required_headroom + frame.length);
    // The frame may come from take_oldest() and lie in this very place.
    std::memmove(place.bytes.data() + director::required_headroom, frame.data, frame.length);
    place.frame = frame;
    place.since = since;
  }

  // Removes the oldest frame and returns it; it is valid until the next keep(). Nothing if there is none, or if it has
  // waited too long.
  Waiting* take_oldest(Time now) {
    if (count_ == 0) return nullptr;
    Waiting& place = waiting_[(next_ + places - count_--) % places];
    if (now - place.since > patience) return nullptr;
    place.frame.data = place.bytes.data() + director::required_headroom;
    return &place;
  }

 private:
  std::array<Waiting, places> waiting_;
  size_t next_ = 0, count_ = 0;
};

}  // namespace sluice::engine
