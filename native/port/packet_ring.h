// SPDX-License-Identifier: Apache-2.0
// A port on a network interface by way of a packet socket: any interface that Linux knows, with all offloads on.
//
// Theory of operation
//
// The kernel copies each frame that arrives to the next slot of a mapped ring (TPACKET_V2) and marks the slot as ours.
// receive() hands slots out where they lie: the virtio header in front of the frame says what checksum and segments
// were left to a device, a VLAN tag that the kernel took off is put back, and enough room stays in front of the frame.
// The slots go back to the kernel, all at once, on release() or the next receive().
//
// Slots are sized for ordinary frames. Of a longer one (a segmented frame of 64 KiB, a jumbo frame) the slot holds the
// beginning, and the whole waits in the socket's queue (PACKET_COPY_THRESH): the kernel fills slot and queue under one
// lock, so the order of the slots that say so is the order of the queue. A ring of small slots is small enough for the
// CPU's cache, and a long frame costs a system call where it would cost a large copy anyway.
//
// Slots are handed over one by one. TPACKET_V3 hands over blocks, when full or after a millisecond at least: an idle
// balancer would add that millisecond to every request (decision 9).
//
// A frame whose segments virtio's header cannot describe (SCTP's, or fragments of UDP that a virtual machine left to
// its host) makes the kernel drop it and, a defect of Linux up to 6.18 at least, keep the slot for ever: nothing comes
// after it. statistics() sees that frames are dropped though the ring is empty, and makes the ring anew. A ring that
// shares its interface cannot do that: the kernel would put it behind the other members of its group, and the program
// that chooses a worker would choose another one. It reports that it is stuck, and its owner opens all members anew.
//
// The port hears what arrives, not what leaves (PACKET_IGNORE_OUTGOING), so that it never meets its own frames.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "port/packet_sender.h"
#include "port/packet_socket.h"
#include "port/port.h"
#include "port/slots.h"

namespace sluice::port {

// Several sockets, of one worker each, share what arrives on an interface: a program says which frame is whose.
struct Fanout {
  // The first ring that is opened with it makes a new group and notes its number for the others.
  std::optional<uint16_t> group;
  int program = -1;  // an eBPF socket filter that returns a member's number, in order of opening; -1: by flow hash
  std::function<void()> stuck;  // called once by each ring that is stuck, from statistics()
};

struct PacketRingOptions {
  std::string interface;
  director::PortId port = 0;      // in the frames received
  uint32_t receive_slots = 2048;  // a burst of 2 ms at a million a second
  uint32_t transmit_slots = 1024;
  Fanout* fanout = nullptr;
};

class PacketRing final : public Port {
 public:
  // False with error(). What had to be done without is told in warnings().
  bool open(const PacketRingOptions& options);
  const PortError& error() const { return error_; }
  const std::vector<std::string>& warnings() const { return warnings_; }

  size_t receive(std::span<director::Frame> frames) override;
  void release() override;
  void transmit(const director::Frame& frame) override { sender_.transmit(frame); }
  void flush() override { sender_.flush(); }
  int fd() const override { return socket_.fd(); }
  bool prepare_to_wait() override;
  PortStatistics statistics() override;

 private:
  // Longest frame: an IP packet of 64 KiB behind a link header with two tags.
  static constexpr uint32_t longest_frame = 65'535 + 14 + 2 * 4;
  // Of longer frames, in one batch: 40 segments each.
  static constexpr uint32_t long_frames = 32;

  bool set_up(const PacketRingOptions& options, int interface_index);
  bool map_ring(uint32_t slots);
  bool join(Fanout& fanout);
  void revive();
  // The frame in a slot; false for one that is nothing for a director.
  bool take(director::Frame& frame);
  bool fetch_long(director::Frame& frame, VirtioHeader& header);

  PacketSocket socket_;
  PacketSender sender_;
  PortError error_;
  std::function<void()> stuck_;  // of a ring that shares its interface
  bool is_sharing_ = false;
  std::vector<std::string> warnings_;
  director::PortId port_ = 0;
  SlotCursor head_;                // the next to look at
  SlotCursor tail_;                // the first that is still ours
  uint32_t held_ = 0;              // slots from tail_ to head_: at most ring_slots_
  uint32_t slots_ = 0;             // asked for
  uint32_t ring_slots_ = 0;        // that the ring has: whole blocks of them
  uint64_t looked_at_ = 0;         // slots, whatever was in them
  uint64_t looked_at_before_ = 0;  // when statistics() was called last

  std::unique_ptr<uint8_t[]> long_memory_;
  uint32_t long_used_ = 0;
  PortStatistics counts_;
};

}  // namespace sluice::port
