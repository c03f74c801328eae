// SPDX-License-Identifier: Apache-2.0
// A frame in the director, and the queue of frames to transmit.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

namespace sluice::director {

using PortId = uint16_t;
inline constexpr PortId no_port_id = 0xffff;  // of frames without a received cause

// Room before a frame's first byte that the receiving port must leave free: the longest header that a tunnel adds (IPv6
// 40 + UDP 8 + GUE 4 + its remote-checksum option 8) and the 20 bytes of a TOA option, rounded up.
inline constexpr uint32_t required_headroom = 96;

enum class TransportChecksum : uint8_t {
  complete,  // as on the wire
  partial,  // the field holds the pseudo-header's sum; device or kernel finish it (CHECKSUM_PARTIAL, virtio NEEDS_CSUM)
};

// A frame that the device would cut into segments; `none` for an ordinary frame. `udp` is virtio's GSO_UDP_L4 (USO):
// each segment is a datagram. Its older GSO_UDP (UFO), one datagram to be cut into IP fragments, needs no kind of its
// own: such a frame is an ordinary packet longer than the MTU, with a partial checksum, and is cut where it leaves.
enum class Segmentation : uint8_t { none, tcp4, tcp6, udp };

struct Frame {
  uint8_t* data = nullptr;  // the Ethernet header; `required_headroom` writable bytes precede it
  uint32_t length = 0;
  PortId port = 0;  // the receiving or the transmitting port
  TransportChecksum checksum = TransportChecksum::complete;
  Segmentation segmentation = Segmentation::none;
  uint16_t segment_size = 0;
  // Bytes of tunnel headers after the link header, if checksum and segmentation are those of the inner packet. Only for
  // ports that cut such frames (Port::cuts_tunnelled), in frames without a tag.
  uint8_t tunnel_length = 0;
  uint32_t mark = 0;  // firewall mark; 0: the rules decide (firewall_marks.h)
};

// Frames to transmit, in order. A received frame is sent from its own buffer. Frames that the director creates itself
// (ICMP errors, ARP) live in its own memory until the next batch.
class TransmitQueue {
 public:
  struct Entry {
    Frame frame;
    uint32_t cause;  // index, within the batch, of the received frame that caused it
  };
  static constexpr uint32_t no_cause = UINT32_MAX;  // for frames of a timer
  explicit TransmitQueue(size_t expected = 256)
      : entries_(new Entry[expected]), next_(entries_.get()), end_(next_ + expected) {}
  void push(const Frame& frame) { add() = {frame, cause_}; }
  // Adds a frame that the caller writes in the queue itself.
  Entry& add() {
    Entry* const entry = next_ != end_ ? next_ : grow(1);
    next_ = entry + 1;
    return *entry;
  }
  // The place of the next `count` entries. The caller writes them there and adds them with take().
  Entry* reserve(size_t count) {
    if (static_cast<size_t>(end_ - next_) < count) next_ = grow(count);
    return next_;
  }
  void take(Entry* end) { next_ = end; }
  void set_cause(uint32_t cause) { cause_ = cause; }
  std::span<Entry> entries() { return {entries_.get(), next_}; }
  void clear() { next_ = entries_.get(); }

 private:
  [[gnu::noinline]] Entry* grow(size_t count) {
    const std::span<Entry> all = entries();
    const size_t capacity = all.size() * 2 + count;
    std::unique_ptr<Entry[]> larger(new Entry[capacity]);
    Entry* const first_new = std::copy(all.begin(), all.end(), larger.get());
    end_ = larger.get() + capacity;
    entries_ = std::move(larger);
    return first_new;
  }

  std::unique_ptr<Entry[]> entries_;
  Entry *next_, *end_;
  uint32_t cause_ = 0;
};

}  // namespace sluice::director
