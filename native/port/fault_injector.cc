// SPDX-License-Identifier: Apache-2.0
#include "port/fault_injector.h"

#include <algorithm>
#include <array>
#include <utility>

namespace sluice::port {

bool FaultyLine::is_later(const OnTheWay& a, const OnTheWay& b) {
  return a.due_ns != b.due_ns ? a.due_ns > b.due_ns : a.number > b.number;
}

// Not from the standard library's distributions: they differ between libraries.
bool FaultyLine::happens(double probability) {
  if (probability <= 0) return false;
  return static_cast<double>(random_() >> 11) * 0x1p-53 < probability;
}

uint64_t FaultyLine::below(uint64_t bound) {
  return bound == 0 ? 0 : random_() % bound;
}

void FaultyLine::corrupt(OwnedFrame& owned) {
  const director::Frame frame = owned.frame();
  const uint64_t bit = below(uint64_t{frame.length} * 8);
  frame.data[bit / 8] ^= static_cast<uint8_t>(1u << bit % 8);
}

void FaultyLine::put(const director::Frame& frame, uint64_t now_ns) {
  if (happens(faults_.loss)) {
    ++counts_.lost;
    return;
  }
  OwnedFrame owned(frame);
  if (happens(faults_.corruption)) {
    ++counts_.corrupted;
    // The receiver would discard a damaged frame. But a partial checksum is computed after the damage and would hide
    // it.
    if (frame.checksum == director::TransportChecksum::partial) return;
    corrupt(owned);
  }
  if (happens(faults_.duplication)) {
    ++counts_.duplicated;
    send(owned, now_ns);
  }
  send(std::move(owned), now_ns);
}

void FaultyLine::send(OwnedFrame frame, uint64_t now_ns) {
  if (on_the_way_.size() >= faults_.limit) {
    ++counts_.overflowed;
    return;
  }
  uint64_t due = now_ns + faults_.delay_ns;
  if (faults_.jitter_ns != 0) due += below(faults_.jitter_ns + 1);
  if (happens(faults_.reordering)) {
    ++counts_.reordered;
    due += faults_.detour_ns;
  }
  on_the_way_.push_back({due, number_++, std::move(frame)});
  std::ranges::push_heap(on_the_way_, is_later);
}

std::optional<OwnedFrame> FaultyLine::take(uint64_t now_ns) {
  if (on_the_way_.empty() || on_the_way_.front().due_ns > now_ns) return std::nullopt;
  std::ranges::pop_heap(on_the_way_, is_later);
  std::optional<OwnedFrame> frame = std::move(on_the_way_.back().frame);
  on_the_way_.pop_back();
  return frame;
}

std::optional<uint64_t> FaultyLine::next_ns() const {
  if (on_the_way_.empty()) return std::nullopt;
  return on_the_way_.front().due_ns;
}

std::optional<uint64_t> FaultInjector::next_ns() const {
  const auto in = inwards_.next_ns(), out = outwards_.next_ns();
  if (!in || !out) return in ? in : out;
  return std::min(*in, *out);
}

size_t FaultInjector::receive(std::span<director::Frame> frames) {
  release();
  std::array<director::Frame, 32> batch;
  for (size_t count; (count = port_.receive(batch)) != 0;) {
    for (size_t i = 0; i < count; ++i) inwards_.put(batch[i], now_ns_);
  }
  port_.release();
  while (received_.size() < frames.size()) {
    std::optional<OwnedFrame> frame = inwards_.take(now_ns_);
    if (!frame) break;
    received_.push_back(std::move(*frame));
    frames[received_.size() - 1] = received_.back().frame();
  }
  return received_.size();
}

void FaultInjector::flush() {
  while (std::optional<OwnedFrame> frame = outwards_.take(now_ns_)) leaving_.push_back(std::move(*frame));
  for (OwnedFrame& frame : leaving_) port_.transmit(frame.frame());
  port_.flush();
  leaving_.clear();
}

bool FaultInjector::prepare_to_wait() {
  const std::optional<uint64_t> next = next_ns();
  return port_.prepare_to_wait() && (!next || *next > now_ns_);
}

}  // namespace sluice::port
