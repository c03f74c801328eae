// SPDX-License-Identifier: Apache-2.0
// A port with a bad line: loses, corrupts, duplicates, reorders and delays what goes through it. The same seed, the
// same frames and the same times make the same faults.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <vector>

#include "port/owned_frame.h"
#include "port/port.h"

namespace sluice::port {

// Probabilities are of a frame, from 0 to 1.
struct Faults {
  double loss = 0;
  double corruption = 0;  // one bit, anywhere in the frame
  double duplication = 0;
  double reordering = 0;  // such a frame takes `detour_ns` longer, so that later ones overtake it
  uint64_t detour_ns = 1'000'000;
  uint64_t delay_ns = 0;
  uint64_t jitter_ns = 0;  // at most so much more delay, evenly distributed; frames may overtake each other
  size_t limit = 1000;     // frames on the line; more are lost
};

struct FaultCounts {
  uint64_t lost = 0, corrupted = 0, duplicated = 0, reordered = 0;
  uint64_t overflowed = 0;  // lost because the line was full
};

// One direction: frames go in at one time and come out at others.
class FaultyLine {
 public:
  FaultyLine(const Faults& faults, uint64_t seed) : faults_(faults), random_(seed) {}

  void put(const director::Frame& frame, uint64_t now_ns);
  // The next frame that has arrived by now.
  std::optional<OwnedFrame> take(uint64_t now_ns);
  // When the next one arrives.
  std::optional<uint64_t> next_ns() const;
  const FaultCounts& counts() const { return counts_; }

 private:
  struct OnTheWay {
    uint64_t due_ns, number;
    OwnedFrame frame;
  };

  static bool is_later(const OnTheWay& a, const OnTheWay& b);
  bool happens(double probability);
  uint64_t below(uint64_t bound);
  void corrupt(OwnedFrame& frame);
  void send(OwnedFrame frame, uint64_t now_ns);

  const Faults faults_;
  std::mt19937_64 random_;
  std::vector<OnTheWay> on_the_way_;  // a heap, the earliest first
  uint64_t number_ = 0;
  FaultCounts counts_;
};

class FaultInjector final : public Port {
 public:
  // `port` outlives this.
  FaultInjector(Port& port, const Faults& inwards, const Faults& outwards, uint64_t seed)
      : port_(port), inwards_(inwards, seed), outwards_(outwards, ~seed) {}

  // The time of what follows, which never goes backwards. What has become due on its way out is sent by flush().
  void set_time(uint64_t now_ns) { now_ns_ = now_ns; }
  // When a frame on either line becomes due: whoever sleeps must be awake then.
  std::optional<uint64_t> next_ns() const;
  const FaultCounts& inwards() const { return inwards_.counts(); }
  const FaultCounts& outwards() const { return outwards_.counts(); }

  size_t receive(std::span<director::Frame> frames) override;
  void release() override { received_.clear(); }
  void transmit(const director::Frame& frame) override { outwards_.put(frame, now_ns_); }
  void flush() override;
  int fd() const override { return port_.fd(); }
  bool prepare_to_wait() override;
  PortStatistics statistics() override { return port_.statistics(); }

 private:
  Port& port_;
  FaultyLine inwards_, outwards_;
  uint64_t now_ns_ = 0;
  std::vector<OwnedFrame> received_;
  std::vector<OwnedFrame> leaving_;
};

}  // namespace sluice::port
