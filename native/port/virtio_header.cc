// SPDX-License-Identifier: Apache-2.0
#include "port/virtio_header.h"

#include "port/transport_place.h"
#include "wire/checksum.h"
#include "wire/ethernet.h"
#include "wire/ipv6.h"
#include "wire/protocol.h"
#include "wire/sctp.h"
#include "wire/tcp.h"
#include "wire/udp.h"

namespace sluice::port {

namespace {

namespace gso {
constexpr uint8_t tcp4 = 1, tcp6 = 4, udp_segments = 5;
constexpr uint8_t congestion_mark = 0x80;  // only the first segment keeps CWR
}  // namespace gso

// The transport header of the inner packet. The tunnel's headers follow a link header without a tag.
TransportPlace transport_inside(wire::Bytes frame, size_t tunnel) {
  const size_t at = wire::EthernetView::header_length + tunnel;
  if (frame.size() < at + wire::Ipv6View::header_length) return {};
  const uint8_t* const ip = frame.data() + at;
  if (ip[0] >> 4 == 6) return {.offset = static_cast<uint16_t>(at + wire::Ipv6View::header_length), .protocol = ip[6]};
  return {.offset = static_cast<uint16_t>(at + (ip[0] & 0xf) * 4u), .protocol = ip[9]};
}

// The offset of the checksum within the transport header. 0 for protocols whose checksums no device computes.
uint16_t checksum_offset_of(uint8_t protocol) {
  if (protocol == wire::protocol::tcp) return wire::TcpView::checksum_offset;
  if (protocol == wire::protocol::udp) return wire::UdpView::checksum_offset;
  return 0;
}

director::Segmentation segmentation_of(uint8_t virtio) {
  switch (virtio & ~gso::congestion_mark) {
    case gso::tcp4:
      return director::Segmentation::tcp4;
    case gso::tcp6:
      return director::Segmentation::tcp6;
    case gso::udp_segments:
      return director::Segmentation::udp;
    default:
      return director::Segmentation::none;
  }
}

uint8_t gso_of(director::Segmentation segmentation) {
  switch (segmentation) {
    case director::Segmentation::tcp4:
      return gso::tcp4;
    case director::Segmentation::tcp6:
      return gso::tcp6;
    case director::Segmentation::udp:
      return gso::udp_segments;
    case director::Segmentation::none:
      break;
  }
  return 0;
}

// Does what a device would do: sums from `start` to the frame's end; the field holds the initial value. Linux marks
// SCTP's CRC only by the offset of the field.
bool complete_checksum(wire::MutableBytes frame, uint32_t start, uint32_t offset) {
  if (start + offset + 2 > frame.size()) return false;
  const wire::MutableBytes covered = frame.subspan(start);
  if (offset == wire::SctpView::checksum_offset) {
    if (covered.size() < wire::SctpView::header_length) return false;
    wire::MutableSctpView(covered).fill_checksum();
    return true;
  }
  const uint16_t sum = wire::internet_checksum(covered);
  const bool is_udp = offset == wire::UdpView::checksum_offset;
  wire::store_raw16(covered.data() + offset, is_udp ? wire::udp_checksum_on_wire(sum) : sum);
  return true;
}

}  // namespace

bool read_offloads(const VirtioHeader& header, director::Frame& frame) {
  frame.segmentation = segmentation_of(header.segmentation);
  frame.segment_size = header.segment_size;
  const bool is_cut = header.segmentation != 0;
  if (is_cut && (frame.segmentation == director::Segmentation::none || header.segment_size == 0)) return false;
  if ((header.flags & virtio_needs_checksum) == 0) return !is_cut;

  const TransportPlace transport = transport_of({frame.data, frame.length});
  const uint16_t offset = checksum_offset_of(transport.protocol);
  if (transport.offset == header.checksum_start && offset != 0 && offset == header.checksum_offset) {
    frame.checksum = director::TransportChecksum::partial;
    return true;
  }
  return !is_cut && complete_checksum({frame.data, frame.length}, header.checksum_start, header.checksum_offset);
}

bool write_offloads(const director::Frame& frame, VirtioHeader& header) {
  const wire::Bytes bytes(frame.data, frame.length);
  const TransportPlace transport =
      frame.tunnel_length == 0 ? transport_of(bytes) : transport_inside(bytes, frame.tunnel_length);
  const uint16_t offset = checksum_offset_of(transport.protocol);
  if (offset == 0) return false;
  const bool is_tcp = transport.protocol == wire::protocol::tcp;
  const size_t least = is_tcp ? wire::TcpView::minimum_header_length : wire::UdpView::header_length;
  if (bytes.size() < transport.offset + least) return false;
  header.flags = virtio_needs_checksum;
  header.checksum_start = transport.offset;
  header.checksum_offset = offset;
  if (frame.segmentation == director::Segmentation::none) return true;

  const wire::Bytes transport_header = bytes.subspan(transport.offset);
  header.segmentation = gso_of(frame.segmentation);
  header.segment_size = frame.segment_size;
  header.header_length = static_cast<uint16_t>(transport.offset + (is_tcp ? (transport_header[12] >> 4) * 4u : least));
  if (is_tcp && (transport_header[13] & wire::tcp_flag::cwr) != 0) header.segmentation |= gso::congestion_mark;
  return true;
}

}  // namespace sluice::port
