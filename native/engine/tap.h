// SPDX-License-Identifier: Apache-2.0
// Where somebody looks at what a worker does: frames that came, what was decided about each, and the frames that left.
//
// The worker copies the frames of a batch before the director changes them, and puts those that the filter wants into a
// ring; another thread takes them out. One writes, one reads, nobody waits: a packet that finds no room is missed, and
// counted. A worker that nobody looks at pays one test of a pointer a batch.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "director/stages/director.h"
#include "wire/bytes.h"

namespace sluice::engine {

// What is wanted: all of what is given must hold. Addresses, ports and protocol are those of the frame that came or of
// one that left.
struct TapFilter {
  std::optional<wire::Address> host;
  std::optional<uint16_t> port;  // of TCP, UDP or SCTP, on either side
  std::optional<uint8_t> protocol;
  std::optional<director::Verdict> verdict;
  std::optional<director::Reason> reason;
  std::optional<director::ServiceKey> service;
  std::optional<director::PortId> came_on;
};

// One frame as it came or left, with what was decided about the packet.
struct TappedFrame {
  uint32_t size = 0;    // of this and the bytes behind it, up to the next
  uint32_t length = 0;  // bytes of the frame
  uint64_t packet = 0;  // frames of one packet have the same number, the one that came first
  Time time = 0;
  director::PortId port = 0;
  bool has_left = false;
  uint16_t left = 0;  // frames that left for the one that came
  director::Reason reason = director::Reason::no_service;
  bool has_service = false, has_server = false;
  director::Forwarding forwarding = director::Forwarding::nat;  // valid if has_server
  uint16_t server_port = 0;
  director::ServiceKey service;
  wire::Address server;
};

// Bytes from one thread to another, in records that are whole or not there.
class RecordRing {
 public:
  // A power of two.
  explicit RecordRing(size_t capacity) : bytes_(new uint8_t[capacity]), capacity_(capacity) {}

  // The writer's: room for so many bytes, or false. Then pieces, one after another, and the end.
  bool begin(size_t size);
  void put(const void* bytes, size_t size);
  void end() { written_.store(at_, std::memory_order_release); }

  // The reader's.
  size_t readable() const { return written_.load(std::memory_order_acquire) - read_.load(std::memory_order_relaxed); }
  void copy_out(size_t offset, void* to, size_t size) const;
  void consume(size_t size) { read_.store(read_.load(std::memory_order_relaxed) + size, std::memory_order_release); }

 private:
  std::unique_ptr<uint8_t[]> bytes_;
  const size_t capacity_;
  size_t at_ = 0;                                // the writer's
  alignas(64) std::atomic<size_t> written_ = 0;  // bytes so far
  alignas(64) std::atomic<size_t> read_ = 0;
};

class Tap {
 public:
  // Some milliseconds of full speed, and many segmented frames of 64 KiB.
  static constexpr size_t default_capacity = size_t{8} << 20;
  explicit Tap(TapFilter filter, size_t capacity = default_capacity) : filter_(std::move(filter)), ring_(capacity) {}

  // The worker's, around the director's decisions about a batch.
  void before(std::span<const director::Frame> frames);
  void after(std::span<const director::Decision> decisions, std::span<const director::TransmitQueue::Entry> sent,
             const director::Director& director, Time now);

  // Another thread's. The next frame; its bytes are good until the next call. False when there is none.
  bool take(TappedFrame& frame, std::vector<uint8_t>& bytes);
  uint64_t missed() const { return missed_.load(std::memory_order_relaxed); }  // packets, with their frames

 private:
  struct Copy {
    size_t begin;
    uint32_t length;
    director::PortId port;
  };
  using Sent = std::span<const director::TransmitQueue::Entry>;
  bool wants(const Copy& came, const director::Decision& decision, const TappedFrame& record, Sent sent,
             uint32_t cause) const;
  bool is_about(wire::Bytes frame) const;
  void record(const Copy& came, TappedFrame& record, Sent sent, uint32_t cause);
  // What the host's own stack gets has left by no port.
  bool is_for_host(const director::TransmitQueue::Entry& entry) const { return entry.frame.port >= host_port_; }
  wire::Bytes bytes_of(const Copy& copy) const { return {copies_.data() + copy.begin, copy.length}; }

  const TapFilter filter_;
  RecordRing ring_;
  std::vector<uint8_t> copies_;  // of the batch
  std::vector<Copy> came_;
  size_t host_port_ = 0;  // the number behind the last port's
  uint64_t packets_ = 0;
  std::atomic<uint64_t> missed_ = 0;
};

}  // namespace sluice::engine
