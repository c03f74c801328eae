// SPDX-License-Identifier: Apache-2.0
#include "port/packet_ring.h"

#include <linux/if_ether.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "wire/bytes.h"
#include "wire/ethernet.h"
#include "wire/vlan.h"

namespace sluice::port {

namespace {

// Where frames begin in their slot: on the third cache line. The virtio header lies before the frame. Once the slot has
// been read, the room before the frame is free for headers; only the slot's status, its first word, must stay.
constexpr uint32_t frame_offset = 128;
// With a virtio header the kernel puts the frame 76 bytes into a slot, plus this number.
constexpr int reserved = static_cast<int>(frame_offset) - 76;
constexpr uint32_t tag_length = wire::VlanView::header_length;
static_assert(frame_offset - sizeof(uint32_t) >= director::required_headroom + tag_length);

// A smaller ring loses frames whenever the kernel takes the CPU from the worker for a moment.
constexpr uint32_t fewest_slots = 128;
// 110 MB. In a longer queue frames would be late by tens of milliseconds.
constexpr uint32_t most_slots = 65'536;

// Room before a long frame: a whole number of cache lines, as before the others.
constexpr uint32_t long_headroom = 128;
constexpr uint32_t long_stride = (long_headroom + 65'535 + 14 + 2 * tag_length + 63) / 64 * 64 + 64;

// Slots fetched ahead. A core handles so many slots in the time that a cache line of another core needs to arrive.
constexpr uint32_t slots_ahead = 6;

// Linux 5.14: this flag belongs to the fanout group. Debian 12's headers do not have it.
constexpr uint32_t fanout_ignores_outgoing = 0x4000;

constexpr tpacket_req no_ring{};

constexpr const char* old_kernel = "use Linux 4.20 or later";

// Puts a VLAN tag that the kernel removed back between the addresses and the type. The addresses move forward.
void put_tag_back(uint16_t tci, uint16_t type, director::Frame& frame) {
  std::memmove(frame.data - tag_length, frame.data, wire::EthernetView::type_offset);
  frame.data -= tag_length;
  frame.length += tag_length;
  wire::store_be16(frame.data + wire::EthernetView::type_offset, type);
  wire::store_be16(frame.data + wire::EthernetView::type_offset + 2, tci);
}

}  // namespace

bool PacketRing::open(const PacketRingOptions& options) {
  int index = 0;
  if (std::max(options.receive_slots, options.transmit_slots) > most_slots || options.receive_slots < fewest_slots) {
    error_ = {PortFault::misuse,
              "a ring cannot have " + std::to_string(options.receive_slots) + " slots to receive and " +
                  std::to_string(options.transmit_slots) + " to transmit",
              "ask for " + std::to_string(fewest_slots) + " to " + std::to_string(most_slots)};
    return false;
  }
  if (!find_interface(options.interface, index, error_)) return false;
  if (!set_up(options, index)) {
    if (error_.problem.empty()) error_ = socket_.error();
    socket_.close();
    return false;
  }
  port_ = options.port;
  if (!sender_.open(options.interface, index, socket_.fd(), options.transmit_slots))
    warnings_.push_back("frames leave by sendmmsg, which costs more: " + sender_.error().problem);
  return true;
}

bool PacketRing::set_up(const PacketRingOptions& options, int interface_index) {
  if (!socket_.open() || !socket_.set(PACKET_VERSION, TPACKET_V2, "use TPACKET_V2", old_kernel) ||
      !socket_.set(PACKET_RESERVE, reserved, "keep room before frames", old_kernel) ||
      !socket_.set(PACKET_VNET_HDR, 1, "use virtio headers", old_kernel) ||
      !socket_.set(PACKET_IGNORE_OUTGOING, 1, "ignore outgoing frames", old_kernel) ||
      !socket_.set(PACKET_COPY_THRESH, 1, "receive long frames", old_kernel))
    return false;
  socket_.set_buffer(false);
  socket_.set_buffer(true);
  if (!map_ring(options.receive_slots)) return false;
  long_memory_ = std::make_unique_for_overwrite<uint8_t[]>(size_t{long_frames} * long_stride);
  return socket_.bind(options.interface, interface_index, ETH_P_ALL) &&
         (options.fanout == nullptr || join(*options.fanout));
}

// Makes the ring smaller if there is not enough memory for the requested slots.
bool PacketRing::map_ring(uint32_t wanted) {
  for (uint32_t slots = wanted;; slots /= 2) {
    const tpacket_req request = ring_request(slots);
    if (socket_.set(PACKET_RX_RING, &request, sizeof request, "make a receive ring", "ask for fewer slots")) {
      if (uint8_t* const memory = socket_.map(size_t{block_bytes} * request.tp_block_nr)) {
        head_ = tail_ = SlotCursor(memory, request.tp_block_nr);
        slots_ = slots;
        ring_slots_ = request.tp_frame_nr;
        if (slots != wanted)
          warnings_.push_back("memory sufficed for " + std::to_string(request.tp_frame_nr) +
                              " receive slots instead of " + std::to_string(wanted));
        return true;
      }
    }
    if (socket_.error().fault != PortFault::no_memory || slots / 2 < fewest_slots) return false;
    static_cast<void>(::setsockopt(socket_.fd(), SOL_PACKET, PACKET_RX_RING, &no_ring, sizeof no_ring));
  }
}

// The kernel chooses the number of a new group. So two processes never share one, and the rings of an interface that
// are being replaced have another one than their successors.
bool PacketRing::join(Fanout& fanout) {
  const uint32_t mode = (fanout.program < 0 ? PACKET_FANOUT_HASH : PACKET_FANOUT_EBPF) | fanout_ignores_outgoing;
  const uint32_t how = fanout.group ? mode : mode | PACKET_FANOUT_FLAG_UNIQUEID;
  const auto value = static_cast<int>(fanout.group.value_or(0) | how << 16);
  if (!socket_.set(PACKET_FANOUT, value, "share an interface between workers", "set the interface up")) return false;
  int number = 0;
  socklen_t size = sizeof number;
  if (::getsockopt(socket_.fd(), SOL_PACKET, PACKET_FANOUT, &number, &size) != 0) {
    error_ = {PortFault::system, "cannot ask for the number of a group of sockets", "", errno, "getsockopt"};
    return false;
  }
  fanout.group = static_cast<uint16_t>(number);
  is_sharing_ = true;
  stuck_ = fanout.stuck;
  return fanout.program < 0 || socket_.set(PACKET_FANOUT_DATA, fanout.program, "set the program that chooses a worker",
                                           "give a loaded eBPF program of type socket filter");
}

// A held slot keeps the status that the kernel gave it. So a call looks at one round of the ring at most, however many
// of its frames are unreadable.
size_t PacketRing::receive(std::span<director::Frame> frames) {
  release();
  size_t count = 0;
  while (count < frames.size() && held_ < ring_slots_ && (head_.status() & TP_STATUS_USER) != 0) {
    if ((head_.header().tp_status & TP_STATUS_COPY) != 0 && long_used_ == long_frames) break;
    // Fetches what another core has just written before it is read: status, virtio header, frame.
    for (const uint32_t line : {0, 64, 128}) __builtin_prefetch(head_.data() + slots_ahead * slot_bytes + line);
    if (take(frames[count])) [[likely]] {
      counts_.received_bytes += frames[count].length;
      ++count;
    }
    head_.advance();
    ++held_;
    ++looked_at_;
  }
  counts_.received += count;
  return count;
}

bool PacketRing::take(director::Frame& frame) {
  const tpacket2_hdr& slot = head_.header();
  const uint32_t status = slot.tp_status;
  frame = director::Frame{.data = head_.data() + slot.tp_mac, .length = slot.tp_snaplen, .port = port_};
  VirtioHeader header;
  if ((status & TP_STATUS_COPY) != 0) {
    if (!fetch_long(frame, header)) return ++counts_.unreadable, false;
  } else {
    // The socket's queue does not have the frame either: the queue was full.
    if (slot.tp_snaplen < slot.tp_len) return ++counts_.kernel_drops, false;
    std::memcpy(&header, frame.data - sizeof header, sizeof header);
  }
  if (frame.length < wire::EthernetView::header_length || !read_virtio_header(header, frame))
    return ++counts_.unreadable, false;
  if ((status & TP_STATUS_VLAN_VALID) != 0) [[unlikely]] {
    const bool has_type = (status & TP_STATUS_VLAN_TPID_VALID) != 0;
    put_tag_back(slot.tp_vlan_tci, has_type ? slot.tp_vlan_tpid : wire::ethertype::vlan, frame);
  }
  return true;
}

bool PacketRing::fetch_long(director::Frame& frame, VirtioHeader& header) {
  uint8_t* const to = long_memory_.get() + size_t{long_used_} * long_stride + long_headroom;
  iovec pieces[] = {{&header, sizeof header}, {to, longest_frame}};
  msghdr message{};
  message.msg_iov = pieces;
  message.msg_iovlen = 2;
  ssize_t count = ::recvmsg(socket_.fd(), &message, MSG_DONTWAIT);
  // The socket reports once that the interface went down; the frame comes after the report.
  if (count < 0 && errno != EAGAIN) count = ::recvmsg(socket_.fd(), &message, MSG_DONTWAIT);
  if (count < static_cast<ssize_t>(sizeof header) || (message.msg_flags & MSG_TRUNC) != 0) return false;
  ++long_used_;
  frame.data = to;
  frame.length = static_cast<uint32_t>(static_cast<size_t>(count) - sizeof header);
  return true;
}

void PacketRing::release() {
  for (; held_ != 0; --held_, tail_.advance()) tail_.set_status(TP_STATUS_KERNEL);
  long_used_ = 0;
}

bool PacketRing::prepare_to_wait() {
  return (head_.status() & TP_STATUS_USER) == 0;
}

void PacketRing::revive() {
  socket_.unmap();
  static_cast<void>(::setsockopt(socket_.fd(), SOL_PACKET, PACKET_RX_RING, &no_ring, sizeof no_ring));
  if (map_ring(slots_)) return;
  // Without memory the ring cannot be used. The next call of statistics() tries again, because the socket's queue
  // overflows, too.
  alignas(64) static uint8_t nothing[slot_bytes] = {};
  head_ = tail_ = SlotCursor(nothing, 1);
}

PortStatistics PacketRing::statistics() {
  tpacket_stats since{};  // the kernel's counters restart with each query
  socklen_t size = sizeof since;
  if (::getsockopt(socket_.fd(), SOL_PACKET, PACKET_STATISTICS, &since, &size) == 0)
    counts_.kernel_drops += since.tp_drops;
  // Unreadable frames also show that the ring works.
  const bool is_stuck =
      since.tp_drops != 0 && held_ == 0 && looked_at_ == looked_at_before_ && head_.status() == TP_STATUS_KERNEL;
  if (is_stuck) [[unlikely]] {
    if (!is_sharing_) {
      revive();
    } else if (stuck_) {
      std::exchange(stuck_, nullptr)();
    }
  }
  looked_at_before_ = looked_at_;
  counts_.transmitted = sender_.sent();
  counts_.transmitted_bytes = sender_.sent_bytes();
  counts_.send_failures = sender_.failures();
  return counts_;
}

}  // namespace sluice::port
