// SPDX-License-Identifier: Apache-2.0
// pcapng (draft-ietf-opsawg-pcapng): blocks of a type, a length, a body and the length again, each a multiple of four
// bytes long.
//
//   section header    byte order of the section; interfaces are numbered from 0 again
//   interface         link type, snap length, options: resolution and offset of its time stamps
//   enhanced packet   interface, time, lengths, bytes, options
//   packet            its obsolete predecessor
//   simple packet     original length and bytes: of interface 0, without a time
//   any other         passed over, whatever its length
//
// A packet's block is delivered after the length at its end has been checked, so a block cut anywhere is not delivered.
// Options of packets and sections are not looked at. A simple packet takes the time of the packet before it (0 for the
// first), so that time does not run backwards.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "port/capture.h"
#include "port/format_reader.h"

namespace sluice::port {

namespace pcapng {
inline constexpr uint32_t section_header = 0x0a0d0d0a;  // the same in both byte orders
inline constexpr uint32_t interface_description = 1;
inline constexpr uint32_t obsolete_packet = 2;
inline constexpr uint32_t simple_packet = 3;
inline constexpr uint32_t enhanced_packet = 6;
inline constexpr uint32_t byte_order_magic = 0x1a2b3c4d;

inline constexpr uint16_t option_end = 0;
inline constexpr uint16_t option_comment = 1;
inline constexpr uint16_t option_interface_name = 2;
inline constexpr uint16_t option_time_resolution = 9;
inline constexpr uint16_t option_time_offset = 14;

inline constexpr size_t block_header_bytes = 8;   // type, length
inline constexpr size_t block_trailer_bytes = 4;  // the length again
inline constexpr size_t min_block_bytes = block_header_bytes + block_trailer_bytes;

// Bodies and blocks are padded to a multiple of four bytes.
inline constexpr size_t padded(size_t length) {
  return (length + 3) & ~size_t{3};
}
}  // namespace pcapng

// What the 16-bit number of an obsolete packet's interface can reach; bounds memory.
inline constexpr size_t max_interfaces_per_section = 65'536;

class PcapngReader : public FormatReader {
 public:
  using FormatReader::FormatReader;

  // Reads the first section header; false with error().
  bool open();
  // After an error every further call reports it again.
  ReadStatus next(CapturedPacket& packet);

 private:
  struct Block {
    uint64_t offset;
    uint32_t type;
    uint32_t length;
  };
  struct Interface {
    uint16_t link_type = 0;  // 0: not supported, in_file says which
    uint16_t link_type_in_file = 0;
    uint32_t snap_length = 0;  // 0: no limit
    uint64_t ticks_per_second = 1'000'000;
    int64_t offset_seconds = 0;
  };

  ReadStatus read_block_header(Block& block);
  bool read_length(Block& block, const uint8_t* at);
  bool read_section(Block& block);
  bool read_interface(const Block& block);
  bool read_options(const Block& block, wire::Bytes options, Interface& interface);
  bool read_time_resolution(const Block& block, wire::Bytes value, Interface& interface);
  bool read_packet(const Block& block, CapturedPacket& packet);
  bool read_simple_packet(const Block& block, CapturedPacket& packet);
  bool fail_captured_length(const Block& block, uint32_t captured, size_t room);
  bool read_time(const Block& block, uint64_t ticks, const Interface& interface);
  const Interface* find_interface(const Block& block, uint32_t number);
  void deliver(uint32_t number, wire::Bytes bytes, uint32_t original, CapturedPacket& packet);

  // The body of a block that is looked at whole; it is consumed, and readable until the next block is read.
  bool read_body(const Block& block, size_t fixed_bytes, wire::Bytes& body);
  bool skip_block(const Block& block);
  bool check_trailer(const Block& block, const uint8_t* at);
  bool fail_block(const Block& block, const std::string& problem);

  std::vector<Interface> interfaces_;  // of the section
  uint32_t first_interface_ = 0;       // how many the sections before had
  uint64_t time_ns_ = 0;               // of the last packet that had one
};

}  // namespace sluice::port
