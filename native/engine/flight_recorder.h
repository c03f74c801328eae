// SPDX-License-Identifier: Apache-2.0
// The batch of frames that a worker handles, in a memory file that outlives the process. After a crash it shows the
// last frames that the worker was given: the beginning of each frame, as it was received. Earlier batches are not kept.
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
  // More than all headers; as many frames as a worker's batch holds.
  static constexpr uint32_t kept_bytes = 256, kept_frames = 64;

  // Uses an empty memory file. It is not open if the machine has no memory.
  explicit FlightRecorder(int file);
  ~FlightRecorder();
  FlightRecorder(const FlightRecorder&) = delete;
  FlightRecorder& operator=(const FlightRecorder&) = delete;
  bool is_open() const { return record_ != nullptr; }

  void note(std::span<const director::Frame> frames, Time now);

  struct Frame {
    director::PortId port;
    uint32_t length;  // at most kept_bytes of them are in `bytes`
    std::vector<uint8_t> bytes;
  };
  struct Batch {
    Time time;
    std::vector<Frame> frames;
  };
  // What another process has noted last. Nothing if it has noted nothing.
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
