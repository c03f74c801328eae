// SPDX-License-Identifier: Apache-2.0
// pcap, the classic format (draft-ietf-opsawg-pcap): a file header of 24 bytes, then records of a 16-byte header and
// the captured bytes, all numbers in the byte order of the machine that wrote it.
//
//   file    magic  version 2.4  zone  accuracy  snaplen  link type
//   record  seconds  fraction  captured length  original length  bytes…
//
// The magic number tells the byte order and whether fractions are micro- or nanoseconds. Zone, accuracy and snaplen are
// not used, as in libpcap; the bits above the link type that tell of a frame check sequence are ignored, so that such a
// frame keeps its trailing bytes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "port/capture.h"
#include "port/format_reader.h"

namespace sluice::port {

inline constexpr uint32_t pcap_magic_microseconds = 0xa1b2c3d4;
inline constexpr uint32_t pcap_magic_nanoseconds = 0xa1b23c4d;
inline constexpr size_t pcap_header_bytes = 24;
inline constexpr size_t pcap_record_header_bytes = 16;
inline constexpr uint16_t pcap_version_major = 2;
inline constexpr uint16_t pcap_version_minor = 4;

class PcapReader : public FormatReader {
 public:
  using FormatReader::FormatReader;

  // Reads the file header; false with error().
  bool open();
  // After an error every further call reports it again.
  ReadStatus next(CapturedPacket& packet);
  bool has_nanoseconds() const { return nanoseconds_per_fraction_ == 1; }

 private:
  bool read_record(CapturedPacket& packet, wire::Bytes header);

  uint32_t nanoseconds_per_fraction_ = 1;
  uint16_t link_type_ = 0;
};

}  // namespace sluice::port
