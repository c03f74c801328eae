// SPDX-License-Identifier: Apache-2.0
// Writes pcap files, format as in pcap_reader.h. Microseconds are read by every tool; nanoseconds by libpcap since 1.5
// and Wireshark, not by some older parsers.
#pragma once

#include <cstdint>

#include "port/record_writer.h"

namespace sluice::port {

enum class PcapPrecision : uint8_t { microseconds, nanoseconds };

class PcapWriter : public RecordWriter {
 public:
  PcapWriter(ByteSink& sink, PcapPrecision precision) : RecordWriter(sink), precision_(precision) {}

  // Writes the file header; before any packet. Each is false with error().
  bool begin(uint32_t link_type);
  // Microseconds are rounded down.
  bool write(uint64_t time_ns, uint32_t original_length, wire::Bytes bytes);

 private:
  PcapPrecision precision_;
};

}  // namespace sluice::port
