// SPDX-License-Identifier: Apache-2.0
#include "port/pcap_reader.h"

#include <algorithm>

namespace sluice::port {

namespace {

// The low 26 bits are the link type; the others describe the frame check sequence.
constexpr uint32_t link_type_mask = 0x03ff'ffff;

constexpr const char* convert_remedy = "convert it with editcap -F pcap";

constexpr size_t version_at = 4;
constexpr size_t link_type_at = 20;

bool known_magic(uint32_t magic) {
  return magic == pcap_magic_microseconds || magic == pcap_magic_nanoseconds;
}

}  // namespace

bool PcapReader::open() {
  const wire::Bytes header = input_.peek(pcap_header_bytes);
  if (header.size() < pcap_header_bytes) return fail_short(0, "the pcap file header", pcap_header_bytes, header.size());
  order_.big_endian = known_magic(wire::load_be32(header.data()));
  const uint32_t magic = order_.load32(header.data());
  if (!known_magic(magic)) {
    return fail(CaptureFault::unsupported, 0,
                "no pcap magic number, expected a1b2c3d4 or a1b23c4d in either byte order", convert_remedy);
  }
  nanoseconds_per_fraction_ = magic == pcap_magic_nanoseconds ? 1 : 1000;

  const uint16_t major = order_.load16(&header[version_at]);
  const uint16_t minor = order_.load16(&header[version_at + 2]);
  if (major != pcap_version_major || minor != pcap_version_minor) {
    return fail(
        CaptureFault::unsupported, version_at,
        "pcap version " + std::to_string(major) + "." + std::to_string(minor) + " is not supported, only 2.4 is",
        convert_remedy);
  }
  const uint32_t in_file = order_.load32(&header[link_type_at]) & link_type_mask;
  link_type_ = supported_link_type(in_file);
  if (link_type_ == 0)
    return fail(CaptureFault::unsupported, link_type_at, unsupported_link_type(in_file), link_type_remedy(in_file));
  input_.consume(pcap_header_bytes);
  return true;
}

ReadStatus PcapReader::next(CapturedPacket& packet) {
  if (failed_) return ReadStatus::error;
  const wire::Bytes header = input_.peek(pcap_record_header_bytes);
  if (header.empty() && input_.system_errno() == 0) return ReadStatus::end;
  return read_record(packet, header) ? ReadStatus::packet : ReadStatus::error;
}

bool PcapReader::read_record(CapturedPacket& packet, wire::Bytes header) {
  const uint64_t offset = input_.offset();
  if (header.size() < pcap_record_header_bytes) {
    return fail_short(offset, "the header of " + this_packet(), pcap_record_header_bytes, header.size());
  }
  const uint32_t captured = order_.load32(&header[8]);
  if (captured > max_frame_bytes) {
    return fail(CaptureFault::corrupt, offset + 8,
                this_packet() + " says " + std::to_string(captured) + " captured bytes, expected at most " +
                    std::to_string(max_frame_bytes) + what_is_kept(),
                damage_remedy);
  }
  // Seconds are unsigned: they last until the year 2106. A fraction above one second, which only broken writers make,
  // is carried.
  packet.time_ns = order_.load32(&header[0]) * nanoseconds_per_second +
                   uint64_t{order_.load32(&header[4])} * nanoseconds_per_fraction_;
  packet.interface_index = 0;
  packet.link_type = link_type_;
  packet.original_length = std::max(order_.load32(&header[12]), captured);

  const size_t length = pcap_record_header_bytes + captured;
  const wire::Bytes record = input_.peek(length);
  if (record.size() < length) return fail_short(offset, this_packet(), length, record.size());
  packet.bytes = record.subspan(pcap_record_header_bytes);
  input_.consume(length);
  packets_++;
  return true;
}

}  // namespace sluice::port
