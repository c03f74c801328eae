// SPDX-License-Identifier: Apache-2.0
#include "decap/tun_port.h"

#include <cerrno>

namespace sluice::decap {

director::Frame TunPort::framed(const Inner& inner, director::PortId number) {
  director::Frame frame;
  frame.data = inner.packet.data();
  frame.length = static_cast<uint32_t>(inner.packet.size());
  frame.port = number;
  if (inner.is_partial) {
    frame.checksum = director::TransportChecksum::partial;
    frame.mark = uint32_t{inner.checksum_start} << 16 | inner.checksum_offset;
  }
  return frame;
}

// Writes one packet at a time: a TUN device takes no more.
void TunPort::transmit(const director::Frame& frame) {
  host::TunPacket inner;
  inner.packet = {frame.data, frame.length};
  if (frame.checksum == director::TransportChecksum::partial) {
    inner.is_partial = true;
    inner.checksum_start = static_cast<uint16_t>(frame.mark >> 16);
    inner.checksum_offset = static_cast<uint16_t>(frame.mark);
  }
  if (device_.write(inner)) {
    counted_.transmitted++;
    counted_.transmitted_bytes += frame.length;
    return;
  }
  counted_.send_failures++;
  // EBADFD: the device was removed. EIO: the device is down.
  if (errno == EBADFD || errno == EIO) is_lost_.store(true, std::memory_order_relaxed);
}

}  // namespace sluice::decap
