// SPDX-License-Identifier: Apache-2.0
// The batch of frames that a worker is at, in a memory file that outlives it: when a process has crashed, what it was
// given last is there to be looked at. Frames as they came, the beginning of each; older than its last note is nothing.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/time.h"
#include "director/network/frame.h"

namespace sluice::engine {

class FlightRecorder {
 public:
  // More than all headers; the frames that a worker looks at in one go.
  static constexpr uint32_t kept_bytes = 256, kept_frames = 64;

  // Of an empty memory file. Not open: where the machine has no memory.
  explicit FlightRecorder(int file);
  ~FlightRecorder();
  FlightRecorder(const FlightRecorder&) = delete;
  FlightRecorder& operator=(const FlightRecorder&) = delete;
  bool is_open() const { return record_ != nullptr; }

  void note(std::span<const director::Frame> frames, Time now);

  struct Frame {
    director::PortId port;
    uint32_t length;  // of which at most kept_bytes are in `bytes`
    std::vector<uint8_t> bytes;
  };
  struct Batch {
    Time time;
    std::vector<Frame> frames;
  };
  // What another process has noted last; nothing where it has noted nothing.
  static std::optional<Batch> read(int file);

 private:
  struct Slot {
    uint32_t port, length;
    std::array<uint8_t, kept_bytes> bytes;
  };
  struct Record {
    uint32_t count;
    Time time;
    std::array<Slot, kept_frames> slots;
  };
  Record* record_ = nullptr;
};

}  // namespace sluice::engine
