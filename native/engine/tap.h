// SPDX-License-Identifier: Apache-2.0
// A tap shows what a worker does: the frames that it received, the decision about each, and the frames that it
// transmitted.
//
// The worker copies the frames of a batch before the director changes them, and puts those that match the filter into a
// ring; another thread takes them out. One thread writes, one reads, neither waits: a packet that finds no room is
// missed and counted. A worker without a tap pays one test of a pointer per batch.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "director/stages/director.h"
#include "wire/bytes.h"

namespace sluice::engine {

// Which packets are shown: every given condition must hold. Addresses, ports and protocol are compared with the
// received frame and with the transmitted ones.
struct TapFilter {
  std::optional<wire::Address> host;
  std::optional<uint16_t> port;  // of TCP, UDP or SCTP, on either side
  std::optional<uint8_t> protocol;
  std::optional<director::Verdict> verdict;
  std::optional<director::Reason> reason;
  std::optional<director::ServiceKey> service;
  std::optional<director::PortId> came_on;
};

// One frame, received or transmitted, with the decision about the packet.
struct TappedFrame {
  uint32_t size = 0;    // of this header and the bytes after it, up to the next record
  uint32_t length = 0;  // bytes of the frame
  uint64_t packet = 0;  // frames of one packet have the same number; the received one comes first
  Time time = 0;
  director::PortId port = 0;
  bool has_left = false;
  uint16_t left = 0;  // number of frames transmitted for the received one
  director::Reason reason = director::Reason::no_service;
  bool has_service = false, has_server = false;
  director::Forwarding forwarding = director::Forwarding::nat;  // valid if has_server
  uint16_t server_port = 0;
  director::ServiceKey service;
  wire::Address server;
};

// A ring of bytes between two threads. A reader sees a record whole or not at all.
class RecordRing {
 public:
  // A power of two.
  explicit RecordRing(size_t capacity) : bytes_(new uint8_t[capacity]), capacity_(capacity) {}

  // For the writer. begin() makes room for a record, or returns false. Then put() adds its pieces, and end() completes
  // it.
  bool begin(size_t size);
  void put(const void* bytes, size_t size);
  void end() { written_.store(at_, std::memory_order_release); }

  // For the reader.
  size_t readable() const { return written_.load(std::memory_order_acquire) - read_.load(std::memory_order_relaxed); }
  void copy_out(size_t offset, void* to, size_t size) const;
  void consume(size_t size) { read_.store(read_.load(std::memory_order_relaxed) + size, std::memory_order_release); }

 private:
  std::unique_ptr<uint8_t[]> bytes_;
  const size_t capacity_;
  size_t at_ = 0;                                // used by the writer only
  alignas(64) std::atomic<size_t> written_ = 0;  // bytes written so far
  alignas(64) std::atomic<size_t> read_ = 0;
};

class Tap {
 public:
  // Room for some milliseconds of traffic at full speed, and for many segmented frames of 64 KiB.
  static constexpr size_t default_capacity = size_t{8} << 20;
  explicit Tap(TapFilter filter, size_t capacity = default_capacity) : filter_(std::move(filter)), ring_(capacity) {}

  // For the worker, before and after the director decides about a batch.
  void before(std::span<const director::Frame> frames);
  void after(std::span<const director::Decision> decisions, std::span<const director::TransmitQueue::Entry> sent,
             const director::Director& director, Time now);

  // For another thread. Gives the next frame; its bytes are valid until the next call. False if there is none.
  bool take(TappedFrame& frame, std::vector<uint8_t>& bytes);
  uint64_t missed() const { return missed_.load(std::memory_order_relaxed); }  // packets, each with its frames

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
  // A frame for the host's own stack has not been transmitted by a port.
  bool is_for_host(const director::TransmitQueue::Entry& entry) const { return entry.frame.port >= host_port_; }
  wire::Bytes bytes_of(const Copy& copy) const { return {copies_.data() + copy.begin, copy.length}; }

  const TapFilter filter_;
  RecordRing ring_;
  std::vector<uint8_t> copies_;  // of the frames of the batch
  std::vector<Copy> came_;
  size_t host_port_ = 0;  // one above the last port's number
  uint64_t packets_ = 0;
  std::atomic<uint64_t> missed_ = 0;
};

}  // namespace sluice::engine
