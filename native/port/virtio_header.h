// SPDX-License-Identifier: Apache-2.0
// The header that packet sockets put before a frame (PACKET_VNET_HDR; virtio 1.2, 5.1.6): what of the work on a frame
// was left to a device, namely its checksum and its segmentation.
//
// It places a checksum anywhere; a director's frame has it in the transport header that the frame's own headers lead
// to. A partial checksum elsewhere, as that of a packet inside a tunnel, is completed here before the director sees the
// frame; so is SCTP's, whose CRC the header cannot tell from a sum on the way out.
#pragma once

#include <cstdint>

#include "director/network/frame.h"

namespace sluice::port {

struct VirtioHeader {
  uint8_t flags = 0;
  uint8_t segmentation = 0;
  uint16_t header_length = 0;
  uint16_t segment_size = 0;
  uint16_t checksum_start = 0;
  uint16_t checksum_offset = 0;
};
static_assert(sizeof(VirtioHeader) == 10);

inline constexpr uint8_t virtio_needs_checksum = 1;

// Takes over what the header says of a frame whose data and length are set. False for what no director can handle.
[[nodiscard]] bool read_offloads(const VirtioHeader& header, director::Frame& frame);
inline bool read_virtio_header(const VirtioHeader& header, director::Frame& frame) {
  if ((header.flags & virtio_needs_checksum) == 0 && header.segmentation == 0) [[likely]]
    return true;
  return read_offloads(header, frame);
}

// The header of a frame that leaves. False when its headers lead to no TCP or UDP though it leaves work on them.
[[nodiscard]] bool write_offloads(const director::Frame& frame, VirtioHeader& header);
inline bool write_virtio_header(const director::Frame& frame, VirtioHeader& header) {
  header = {};
  if (frame.checksum == director::TransportChecksum::complete && frame.segmentation == director::Segmentation::none)
      [[likely]]
    return true;
  return write_offloads(frame, header);
}

}  // namespace sluice::port
