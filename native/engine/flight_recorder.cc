// SPDX-License-Identifier: Apache-2.0
#include "engine/flight_recorder.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>

namespace sluice::engine {

FlightRecorder::FlightRecorder(int file) {
  if (ftruncate(file, sizeof(Record)) != 0) return;
  void* const mapped = mmap(nullptr, sizeof(Record), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (mapped == MAP_FAILED) return;
  // A rehearsal's copy of the process has nothing to note, and must not write what is this process's.
  static_cast<void>(madvise(mapped, sizeof(Record), MADV_DONTFORK));
  record_ = static_cast<Record*>(mapped);
}

FlightRecorder::~FlightRecorder() {
  if (record_ != nullptr) munmap(record_, sizeof(Record));
}

void FlightRecorder::note(std::span<const director::Frame> frames, Time now) {
  const size_t count = std::min<size_t>(frames.size(), kept_frames);
  for (size_t i = 0; i < count; i++) {
    Slot& slot = record_->slots[i];
    slot.port = frames[i].port;
    slot.length = frames[i].length;
    std::memcpy(slot.bytes.data(), frames[i].data, std::min(frames[i].length, kept_bytes));
  }
  record_->time = now;
  record_->count = static_cast<uint32_t>(count);
}

std::optional<FlightRecorder::Batch> FlightRecorder::read(int file) {
  const auto record = std::make_unique<Record>();
  if (pread(file, record.get(), sizeof(Record), 0) != sizeof(Record)) return std::nullopt;
  if (record->count == 0 || record->count > kept_frames) return std::nullopt;
  Batch batch{record->time, {}};
  for (uint32_t i = 0; i < record->count; i++) {
    const Slot& slot = record->slots[i];
    const auto kept = static_cast<ptrdiff_t>(std::min(slot.length, kept_bytes));
    batch.frames.push_back(
        {static_cast<director::PortId>(slot.port), slot.length, {slot.bytes.begin(), slot.bytes.begin() + kept}});
  }
  return batch;
}

}  // namespace sluice::engine
