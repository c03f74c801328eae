// SPDX-License-Identifier: Apache-2.0
#include "engine/host_port.h"

#include "wire/packet.h"
#include "wire/tcp.h"
#include "wire/udp.h"

namespace sluice::engine {

void HostPort::transmit(const director::Frame& frame) {
  wire::Packet packet;
  const wire::Bytes bytes(frame.data, frame.length);
  if (wire::dissect(bytes, packet) != wire::Malformed::ok || packet.ip_version == 0) {
    counts_.send_failures++;
    return;
  }
  host::TunPacket inner;
  inner.packet = wire::Bytes(frame.data + packet.l3, packet.l3_length);
  if (frame.checksum == director::TransportChecksum::partial) {
    inner.is_partial = true;
    inner.checksum_start = static_cast<uint16_t>(packet.l4 - packet.l3);
    inner.checksum_offset = static_cast<uint16_t>(
        packet.protocol == wire::protocol::tcp ? wire::TcpView::checksum_offset : wire::UdpView::checksum_offset);
  }
  if (!device_->write(inner)) {
    counts_.send_failures++;
    return;
  }
  counts_.transmitted++;
  counts_.transmitted_bytes += packet.l3_length;
}

}  // namespace sluice::engine
