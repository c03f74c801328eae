// SPDX-License-Identifier: Apache-2.0
// Writes pcapng files of one section, format as in pcapng_reader.h: interfaces with names, time stamps in nanoseconds,
// enhanced packet blocks with an optional comment, which Wireshark and tshark show with the packet.
#pragma once

#include <cstdint>
#include <string_view>

#include "port/record_writer.h"

namespace sluice::port {

class PcapngWriter : public RecordWriter {
 public:
  using RecordWriter::RecordWriter;

  // Writes the section header; before anything else. Each is false with error().
  bool begin();
  // Interfaces are numbered from 0 in the order in which they are added; between packets too. The name may be empty.
  bool add_interface(uint32_t link_type, std::string_view name);
  // The comment is UTF-8 of at most 65535 bytes; empty: none.
  bool write(uint32_t interface_index, uint64_t time_ns, uint32_t original_length, wire::Bytes bytes,
             std::string_view comment = {});

 private:
  bool check_text(std::string_view what, std::string_view text);
  bool emit_option(uint16_t code, std::string_view value);
  bool emit_trailer(uint32_t length);

  uint32_t interfaces_ = 0;
};

}  // namespace sluice::port
