// SPDX-License-Identifier: Apache-2.0
// Frames that cannot leave because the link-layer address of the next hop is being asked for. A few of them, for a
// short time, as a host's kernel keeps them; older ones make room.
#pragma once

#include <array>
#include <cstring>
#include <memory>
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

  bool is_empty() const { return count_ == 0; }

  // Copies a frame as it came; the oldest gives way.
  void keep(const director::Frame& frame, Time now) {
    Waiting& place = waiting_[next_];
    next_ = (next_ + 1) % places;
    if (count_ < places) count_++;
    place.bytes.resize(director::required_headroom + frame.length);
    std::memcpy(place.bytes.data() + director::required_headroom, frame.data, frame.length);
    place.frame = frame;
    place.since = now;
  }

  // Gives each frame that is young enough to `visit`, oldest first; none is left.
  template <class Visit>
  void take_all(Time now, Visit visit) {
    const size_t count = std::exchange(count_, 0);
    for (size_t i = 0; i < count; i++) {
      Waiting& place = waiting_[(next_ + places - count + i) % places];
      if (now - place.since > patience) continue;
      place.frame.data = place.bytes.data() + director::required_headroom;
      visit(place.frame, place.since);
    }
  }

 private:
  struct Waiting {
    std::vector<uint8_t> bytes;
    director::Frame frame;
    Time since = 0;
  };
  std::array<Waiting, places> waiting_;
  size_t next_ = 0, count_ = 0;
};

}  // namespace sluice::engine
