// SPDX-License-Identifier: Apache-2.0
#include "engine/director_work.h"

#include <utility>

#include "engine/absent_port.h"

namespace sluice::engine {

namespace {

// Limit of due flows that are ended per round of batches: some tens of microseconds.
constexpr uint32_t ended_a_round = 256;

}  // namespace

DirectorWork::DirectorWork(const DirectorWorkOptions& options)
    : director_(options.director), service_rows_(options.service_rows) {
  if (options.recorder < 0) return;
  recorder_.emplace(options.recorder);
  if (!recorder_->is_open()) recorder_.reset();
}

void DirectorWork::receive(std::span<director::Frame> batch, const Turn& turn) {
  if (recorder_) recorder_->note(batch, turn.now);
  ask_director(batch, turn);
  uint64_t dropped = 0;
  for (size_t i = 0; i < batch.size(); i++) {
    if (decisions_[i].verdict() != director::Verdict::drop) [[likely]]
      continue;
    dropped++;
    // If the director has no neighbour for a frame, it leaves the frame as it was received.
    if (decisions_[i].reason == director::Reason::no_neighbour) waiting_.keep(batch[i], turn.now);
  }
  if (dropped != 0) turn.counters.add(Counter::frames_dropped, dropped);
}

void DirectorWork::ask_director(std::span<director::Frame> frames, const Turn& turn) {
  if (tap_ == nullptr) [[likely]]
    return director_.receive_batch(frames, decisions_, turn.now, turn.out);
  tap_->before(frames);
  director_.receive_batch(frames, decisions_, turn.now, turn.out);
  tap_->after(decisions_, turn.out.entries(), director_, turn.now);
}

bool DirectorWork::advance(const Turn& turn) {
  if (to_retry_ > 0) [[unlikely]] {
    retry_waiting_frame(turn);
    return false;
  }
  return director_.advance(turn.now, ended_a_round, turn.out);
}

// Handles one frame at a time, because what is sent lies in the frame's own memory. A frame that still cannot leave
// waits again behind the others, for the rest of its time.
void DirectorWork::retry_waiting_frame(const Turn& turn) {
  to_retry_--;
  WaitingFrames::Waiting* const waiting = waiting_.take_oldest(turn.now);
  if (waiting == nullptr) return;
  ask_director({&waiting->frame, 1}, turn);
  if (decisions_[0].reason == director::Reason::no_neighbour) waiting_.keep(waiting->frame, waiting->since);
}

bool DirectorWork::publish(Time now, CounterBlock& block) {
  if (now - published_ >= ServiceRows::interval) {
    published_ = now;
    publish_counts(block);
  }
  return service_rows_.advance(director_, now);
}

void DirectorWork::publish_counts(CounterBlock& block) {
  for (size_t i = 0; i < director::reason_count; i++) {
    const uint64_t count = director_.count(static_cast<director::Reason>(i));
    const uint64_t more = count - std::exchange(published_counts_[i], count);
    if (more != 0) block.add(reason_counter(i), more);
  }
}

void DirectorWork::finish(CounterBlock& block) {
  publish_counts(block);
  service_rows_.advance(director_, service_rows_.due());
}

std::vector<std::unique_ptr<port::Port>> DirectorWorker::with_host_port(
    std::vector<std::unique_ptr<port::Port>> ports) {
  ports.push_back(std::make_unique<AbsentPort>());
  return ports;
}

}  // namespace sluice::engine
