// SPDX-License-Identifier: Apache-2.0
// Frames that cannot leave because the link-layer address of the next hop is being asked for. A few of them, for a
// short time, as a host's kernel keeps them; older ones make room.
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
  // As long as hosts wait for a neighbour's first answer.
  static constexpr Time patience = second;
  // Enough for the first packets of some dozens of connections.
  static constexpr size_t places = 64;

  struct Waiting {
    std::vector<uint8_t> bytes;
    director::Frame frame;
    Time since = 0;
  };

  size_t size() const { return count_; }

  // Copies a frame as it came; the oldest gives way.
  void keep(const director::Frame& frame, Time since) {
    Waiting& place = waiting_[next_];
    next_ = (next_ + 1) % places;
    count_ = std::min(count_ + 1, places);
    place.bytes.resize(director::required_headroom + frame.length);
    // The frame may be what take_oldest() gave, in this very place.
    std::memmove(place.bytes.data() + director::required_headroom, frame.data, frame.length);
    place.frame = frame;
    place.since = since;
  }

  // The oldest frame waits no more: good until the next keep(). Nothing where there is none, or where it has waited for
  // too long.
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
