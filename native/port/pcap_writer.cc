// SPDX-License-Identifier: Apache-2.0
#include "port/pcap_writer.h"

#include <array>

#include "port/byte_order.h"
#include "port/pcap_reader.h"

namespace sluice::port {

bool PcapWriter::begin(uint32_t link_type) {
  if (supported_link_type(link_type) != link_type)
    return misuse(unsupported_link_type(link_type), link_type_remedy(link_type));
  std::array<uint8_t, pcap_header_bytes> header{};
  store_le32(&header[0], precision_ == PcapPrecision::nanoseconds ? pcap_magic_nanoseconds : pcap_magic_microseconds);
  store_le16(&header[4], pcap_version_major);
  store_le16(&header[6], pcap_version_minor);
  store_le32(&header[16], max_frame_bytes);
  store_le32(&header[20], link_type);
  return emit(header);
}

bool PcapWriter::write(uint64_t time_ns, uint32_t original_length, wire::Bytes bytes) {
  if (!check_packet(bytes, original_length)) return false;
  const uint64_t seconds = time_ns / nanoseconds_per_second;
  if (seconds > UINT32_MAX) {
    return misuse("pcap holds times until the year 2106, not " + std::to_string(time_ns) + " ns after 1970",
                  "write pcapng instead");
  }
  const auto nanoseconds = static_cast<uint32_t>(time_ns % nanoseconds_per_second);
  std::array<uint8_t, pcap_record_header_bytes> header;
  store_le32(&header[0], static_cast<uint32_t>(seconds));
  store_le32(&header[4], precision_ == PcapPrecision::nanoseconds ? nanoseconds : nanoseconds / 1000);
  store_le32(&header[8], static_cast<uint32_t>(bytes.size()));
  store_le32(&header[12], original_length);
  return emit(header) && emit(bytes);
}

}  // namespace sluice::port
