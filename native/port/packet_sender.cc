// SPDX-License-Identifier: Apache-2.0
#include "port/packet_sender.h"

#include <cerrno>
#include <cstring>

#include "bpf/tunnel.h"
#include "wire/ethernet.h"

namespace sluice::port {

bool PacketSender::open(const std::string& interface, int interface_index, int long_frames, uint32_t slots) {
  direct_ = long_frames;
  for (uint32_t i = 0; i < direct_batch; ++i) {
    pieces_[2 * i] = {&headers_[i], sizeof headers_[i]};
    messages_[i].msg_hdr = {};
    messages_[i].msg_hdr.msg_iov = &pieces_[2 * i];
    messages_[i].msg_hdr.msg_iovlen = 2;
  }
  has_ring_ = slots != 0 && open_ring(interface, interface_index, slots);
  return slots == 0 || has_ring_;
}

bool PacketSender::open_ring(const std::string& interface, int interface_index, uint32_t slots) {
  constexpr const char* old = "use Linux 4.20 or later";
  constexpr const char* large = "ask for fewer slots";
  const tpacket_req request = ring_request(slots);
  if (!socket_.open() || !socket_.set(PACKET_VERSION, TPACKET_V2, "use TPACKET_V2", old) ||
      !socket_.set(PACKET_VNET_HDR, 1, "use virtio headers", old) ||
      !socket_.set(PACKET_LOSS, 1, "step over frames that cannot be sent", old))
    return false;
  socket_.try_set(PACKET_QDISC_BYPASS, 1);
  socket_.set_buffer(true);
  if (!socket_.set(PACKET_TX_RING, &request, sizeof request, "make a transmit ring", large)) return false;
  uint8_t* const memory = socket_.map(size_t{block_bytes} * request.tp_block_nr);
  if (memory == nullptr || !socket_.bind(interface, interface_index, 0)) return false;
  next_ = first_ = SlotCursor(memory, request.tp_block_nr);
  return true;
}

// If the ring is full, perhaps the kernel has not yet been told about its frames.
bool PacketSender::is_slot_free() {
  if (next_.status() == TP_STATUS_AVAILABLE) [[likely]]
    return true;
  if (ring_pending_ != 0) send_ring();
  return next_.status() == TP_STATUS_AVAILABLE;
}

void PacketSender::transmit(const director::Frame& frame) {
  VirtioHeader header;
  if (frame.length < wire::EthernetView::header_length || !write_virtio_header(frame, header)) [[unlikely]] {
    ++failures_;
    return;
  }
  constexpr uint32_t room = slot_bytes - slot_data - sizeof(VirtioHeader);
  const bool fits = frame.length <= room && frame.segmentation == director::Segmentation::none;
  if (has_ring_ && fits && is_slot_free()) [[likely]] {
    if (direct_pending_ != 0) send_direct();
    header.header_length = static_cast<uint16_t>(frame.length);
    uint8_t* const to = next_.data() + slot_data;
    std::memcpy(to, &header, sizeof header);
    std::memcpy(to + sizeof header, frame.data, frame.length);
    next_.header().tp_len = static_cast<uint32_t>(sizeof header) + frame.length;
    next_.set_status(TP_STATUS_SEND_REQUEST);
    next_.advance();
    ++ring_pending_;
    ring_pending_bytes_ += frame.length;
    return;
  }
  if (ring_pending_ != 0) send_ring();
  headers_[direct_pending_] = header;
  pieces_[2 * direct_pending_ + 1] = {frame.data, frame.length};
  set_mark(direct_pending_, frame.tunnel_length);
  if (++direct_pending_ == direct_batch) send_direct();
}

void PacketSender::set_mark(uint32_t number, uint8_t tunnel_length) {
  msghdr& message = messages_[number].msg_hdr;
  message.msg_control = nullptr;
  message.msg_controllen = 0;
  if (tunnel_length == 0) return;
  auto& bytes = marks_[number].bytes;
  message.msg_control = bytes.data();
  message.msg_controllen = bytes.size();
  const uint32_t mark = TUNNEL_MARK | tunnel_length;
  cmsghdr* const control = CMSG_FIRSTHDR(&message);
  *control = {.cmsg_len = CMSG_LEN(sizeof mark), .cmsg_level = SOL_SOCKET, .cmsg_type = SO_MARK};
  std::memcpy(CMSG_DATA(control), &mark, sizeof mark);
}

void PacketSender::send_ring() {
  while (ring_pending_ != 0) {
    const ssize_t count = ::send(socket_.fd(), nullptr, 0, MSG_DONTWAIT);
    if (count >= 0 && static_cast<uint64_t>(count) == ring_pending_bytes_) [[likely]] {
      sent_ += ring_pending_;
      sent_bytes_ += ring_pending_bytes_;
      ring_pending_ = 0;
      ring_pending_bytes_ = 0;
      first_ = next_;
      return;
    }
    give_up(count < 0 ? errno : ENOBUFS);
  }
}

// Frames that the kernel has taken are done; the frame at which it stopped is given up. If the interface is down, the
// kernel takes none, and all frames are given up: the cursor returns to the slot that the kernel reads next.
void PacketSender::give_up(int system_errno) {
  while (ring_pending_ != 0 && first_.status() != TP_STATUS_SEND_REQUEST) {
    const uint32_t length = first_.header().tp_len - static_cast<uint32_t>(sizeof(VirtioHeader));
    first_.advance();
    --ring_pending_;
    ring_pending_bytes_ -= length;
    ++sent_;
    sent_bytes_ += length;
  }
  if (ring_pending_ == 0 || system_errno == EINTR) return;
  if (system_errno == ENOBUFS) {
    const uint32_t length = first_.header().tp_len - static_cast<uint32_t>(sizeof(VirtioHeader));
    first_.header().tp_len = 0;
    first_.advance();
    --ring_pending_;
    ring_pending_bytes_ -= length;
    ++failures_;
    return;
  }
  failures_ += ring_pending_;
  next_ = first_;
  for (SlotCursor slot = first_; ring_pending_ != 0; --ring_pending_, slot.advance()) {
    slot.set_status(TP_STATUS_AVAILABLE);
  }
  ring_pending_bytes_ = 0;
}

void PacketSender::send_direct() {
  for (uint32_t done = 0; done < direct_pending_;) {
    const int count = ::sendmmsg(direct_, &messages_[done], direct_pending_ - done, MSG_DONTWAIT);
    if (count > 0) {
      for (int i = 0; i < count; ++i, ++done) {
        ++sent_;
        sent_bytes_ += pieces_[2 * done + 1].iov_len;
      }
    } else if (count == 0 || errno != EINTR) {
      ++failures_;
      ++done;
    }
  }
  direct_pending_ = 0;
}

}  // namespace sluice::port
