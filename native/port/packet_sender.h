// SPDX-License-Identifier: Apache-2.0
// The way out of a packet port.
//
// Theory of operation
//
// A frame that fits is copied to a slot of a transmit ring (PACKET_TX_RING), and one system call has the kernel send
// all slots that wait. Its price a frame is lower by a quarter than sendmmsg's, provided that the slot's virtio header
// calls the whole frame its headers: the kernel then copies the frame to the buffer that it sends, where it otherwise
// would refer to the ring's pages, which costs more at these sizes (decision 9).
//
// A longer frame, one of several segments, one that finds no free slot, and every frame where there is no ring, goes by
// sendmmsg from where it lies. When the kind changes, what waits of the other kind is sent first, so that frames leave
// in their order.
//
// The ring's frames go past the queueing discipline to the device. Those of sendmmsg do not: the kernel cuts segments
// for a device that cannot, but drops what it has cut when there is no queueing discipline to take it.
//
// A tunnelled frame of several segments has a mark, by which a program at egress knows it (bpf/tunnel.bpf.c).
//
// The kernel goes through the ring in order and stops at a frame that it could not send, to try it again. Here it is
// given up, as a device gives up: a length of zero makes the kernel step over it.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>

#include "port/packet_socket.h"
#include "port/slots.h"
#include "port/virtio_header.h"

namespace sluice::port {

class PacketSender {
 public:
  // False with error(). `long_frames`: a socket bound to the same interface, with virtio headers and without a transmit
  // ring; it must outlive this.
  bool open(const std::string& interface, int interface_index, int long_frames, uint32_t slots);
  bool has_ring() const { return has_ring_; }
  const PortError& error() const { return socket_.error(); }

  void transmit(const director::Frame& frame);
  void flush() {
    if (ring_pending_ != 0) send_ring();
    if (direct_pending_ != 0) send_direct();
  }

  uint64_t sent() const { return sent_; }
  uint64_t sent_bytes() const { return sent_bytes_; }
  uint64_t failures() const { return failures_; }

 private:
  static constexpr uint32_t direct_batch = 32;
  // Where the kernel looks for a frame in a transmit slot: tpacket2_hdr, aligned to 16 bytes.
  static constexpr uint32_t slot_data = 32;

  bool open_ring(const std::string& interface, int interface_index, uint32_t slots);
  bool is_slot_free();
  void send_ring();
  void give_up(int system_errno);
  void send_direct();
  void set_mark(uint32_t number, uint8_t tunnel_length);

  PacketSocket socket_;
  bool has_ring_ = false;
  SlotCursor next_;   // to be filled
  SlotCursor first_;  // that waits
  uint32_t ring_pending_ = 0;
  uint64_t ring_pending_bytes_ = 0;

  int direct_ = -1;
  uint32_t direct_pending_ = 0;
  std::array<VirtioHeader, direct_batch> headers_{};
  std::array<iovec, direct_batch * 2> pieces_{};
  std::array<mmsghdr, direct_batch> messages_{};
  // A control message each, with SO_MARK.
  struct Mark {
    alignas(cmsghdr) std::array<uint8_t, CMSG_SPACE(sizeof(uint32_t))> bytes;
  };
  std::array<Mark, direct_batch> marks_{};

  uint64_t sent_ = 0, sent_bytes_ = 0, failures_ = 0;
};

}  // namespace sluice::port
