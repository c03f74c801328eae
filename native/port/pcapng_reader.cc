// SPDX-License-Identifier: Apache-2.0
#include "port/pcapng_reader.h"

#include <algorithm>
#include <string>
#include <string_view>

namespace sluice::port {

using namespace pcapng;

namespace {

constexpr size_t section_header_bytes = 28;  // the smallest: without options
constexpr size_t interface_fixed_bytes = 8;
constexpr size_t option_header_bytes = 4;

// The largest powers of 10 and 2 for which the ticks of one second fit 64 bits.
constexpr unsigned max_decimal_exponent = 19;
constexpr unsigned max_binary_exponent = 63;

constexpr const char* convert_remedy = "convert it with editcap -F pcapng";

using Wide = __int128;

std::string hexadecimal(uint32_t value) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text = "0x";
  for (int shift = 28; shift >= 0; shift -= 4) text += digits[(value >> shift) & 15];
  return text;
}

}  // namespace

bool PcapngReader::open() {
  Block block{};
  switch (read_block_header(block)) {
    case ReadStatus::error:
      return false;
    case ReadStatus::end:
      return fail_short(0, "the pcapng section header", section_header_bytes, 0);
    case ReadStatus::packet:
      break;
  }
  if (block.type != section_header) {
    return fail(CaptureFault::unsupported, 0, "no pcapng section header at the start", convert_remedy);
  }
  return read_section(block);
}

ReadStatus PcapngReader::next(CapturedPacket& packet) {
  Block block{};
  for (;;) {
    if (failed_) return ReadStatus::error;
    const ReadStatus status = read_block_header(block);
    if (status != ReadStatus::packet) return status;
    switch (block.type) {
      case enhanced_packet:
      case obsolete_packet:
        return read_packet(block, packet) ? ReadStatus::packet : ReadStatus::error;
      case simple_packet:
        return read_simple_packet(block, packet) ? ReadStatus::packet : ReadStatus::error;
      case section_header:
        read_section(block);
        break;
      case interface_description:
        read_interface(block);
        break;
      default:
        skip_block(block);
    }
  }
}

// Returns `packet` if a block follows. Consumes nothing.
ReadStatus PcapngReader::read_block_header(Block& block) {
  block.offset = input_.offset();
  const wire::Bytes header = input_.peek(block_header_bytes);
  if (header.empty() && input_.system_errno() == 0) return ReadStatus::end;
  if (header.size() < block_header_bytes) {
    fail_short(block.offset, "a block header", block_header_bytes, header.size());
    return ReadStatus::error;
  }
  block.type = order_.load32(header.data());
  // The length of a section header has a byte order that only the section's body tells.
  if (block.type == section_header) return ReadStatus::packet;
  return read_length(block, &header[4]) ? ReadStatus::packet : ReadStatus::error;
}

bool PcapngReader::read_length(Block& block, const uint8_t* at) {
  block.length = order_.load32(at);
  if (block.length >= min_block_bytes && block.length % 4 == 0) return true;
  return fail_block(block, "says a length of " + std::to_string(block.length) +
                               " bytes, expected a multiple of 4 from " + std::to_string(min_block_bytes) + " on");
}

bool PcapngReader::read_section(Block& block) {
  constexpr size_t magic_at = 8;
  constexpr size_t version_at = 12;
  constexpr size_t looked_at = 16;
  const wire::Bytes header = input_.peek(looked_at);
  if (header.size() < looked_at) {
    return fail_short(block.offset, "a section header", section_header_bytes, header.size());
  }
  order_.big_endian = wire::load_be32(&header[magic_at]) == byte_order_magic;
  const uint32_t magic = order_.load32(&header[magic_at]);
  if (magic != byte_order_magic) {
    return fail_block(block, "says byte order " + hexadecimal(wire::load_be32(&header[magic_at])) +
                                 ", expected 0x1a2b3c4d in either order");
  }
  if (!read_length(block, &header[4])) return false;
  if (block.length < section_header_bytes) {
    return fail_block(block, "is " + std::to_string(block.length) + " bytes long, expected at least " +
                                 std::to_string(section_header_bytes));
  }
  const uint16_t major = order_.load16(&header[version_at]);
  const uint16_t minor = order_.load16(&header[version_at + 2]);
  // Some programs have written 1.2. It is read as 1.0, as the draft says.
  if (major != 1 || (minor != 0 && minor != 2)) {
    return fail(
        CaptureFault::unsupported, block.offset + version_at,
        "pcapng version " + std::to_string(major) + "." + std::to_string(minor) + " is not supported, only 1.0 is",
        convert_remedy);
  }
  if (!skip_block(block)) return false;
  first_interface_ += static_cast<uint32_t>(interfaces_.size());
  interfaces_.clear();
  return true;
}

bool PcapngReader::read_interface(const Block& block) {
  wire::Bytes body;
  if (!read_body(block, interface_fixed_bytes, body)) return false;
  if (interfaces_.size() == max_interfaces_per_section) {
    return fail_block(block, "is one interface more than the " + std::to_string(max_interfaces_per_section) +
                                 " that a section may have here");
  }
  Interface interface;
  interface.link_type_in_file = order_.load16(&body[0]);
  interface.link_type = supported_link_type(interface.link_type_in_file);
  interface.snap_length = order_.load32(&body[4]);
  if (!read_options(block, body.subspan(interface_fixed_bytes), interface)) return false;
  interfaces_.push_back(interface);
  return true;
}

bool PcapngReader::read_options(const Block& block, wire::Bytes options, Interface& interface) {
  while (options.size() >= option_header_bytes) {
    const uint16_t code = order_.load16(&options[0]);
    const uint16_t length = order_.load16(&options[2]);
    if (code == option_end) return true;
    options = options.subspan(option_header_bytes);
    if (padded(length) > options.size()) {
      return fail_block(block, "has an option " + std::to_string(code) + " of " + std::to_string(length) +
                                   " bytes, expected at most the " + std::to_string(options.size()) + " left in it");
    }
    const wire::Bytes value = options.first(length);
    options = options.subspan(padded(length));
    if (code == option_time_resolution && !read_time_resolution(block, value, interface)) return false;
    if (code == option_time_offset) {
      if (length != sizeof interface.offset_seconds) {
        return fail_block(block, "has an if_tsoffset of " + std::to_string(length) + " bytes, expected 8");
      }
      interface.offset_seconds = static_cast<int64_t>(order_.load64(value.data()));
    }
  }
  return true;
}

// One byte: the ticks per second as an exponent of 10, or of 2 if the high bit is set.
bool PcapngReader::read_time_resolution(const Block& block, wire::Bytes value, Interface& interface) {
  if (value.size() != 1) {
    return fail_block(block, "has an if_tsresol of " + std::to_string(value.size()) + " bytes, expected 1");
  }
  constexpr uint8_t is_binary = 0x80;
  const unsigned exponent = value[0] & ~is_binary;
  const bool binary = (value[0] & is_binary) != 0;
  if (exponent > (binary ? max_binary_exponent : max_decimal_exponent)) {
    return fail(CaptureFault::unsupported, block.offset,
                std::string("if_tsresol says ") + (binary ? "2" : "10") + " to the power of " +
                    std::to_string(exponent) + " ticks a second, which 64 bits do not hold",
                damage_remedy);
  }
  interface.ticks_per_second = 1;
  for (unsigned i = 0; i < exponent; i++) interface.ticks_per_second *= binary ? 2 : 10;
  return true;
}

bool PcapngReader::read_packet(const Block& block, CapturedPacket& packet) {
  // Enhanced packet block: interface, time in two halves, captured and original length. Obsolete packet block: the
  // interface has 16 bits, a count of drops has the other 16.
  constexpr size_t fixed_bytes = 20;
  wire::Bytes body;
  if (!read_body(block, fixed_bytes, body)) return false;
  const uint32_t number = block.type == obsolete_packet ? order_.load16(&body[0]) : order_.load32(&body[0]);
  const Interface* interface = find_interface(block, number);
  if (interface == nullptr) return false;
  const uint64_t ticks = uint64_t{order_.load32(&body[4])} << 32 | order_.load32(&body[8]);
  const uint32_t captured = order_.load32(&body[12]);
  const uint32_t original = order_.load32(&body[16]);
  const wire::Bytes rest = body.subspan(fixed_bytes);
  if (captured > max_frame_bytes || captured > rest.size()) return fail_captured_length(block, captured, rest.size());
  if (!read_time(block, ticks, *interface)) return false;
  deliver(number, rest.first(captured), original, packet);
  return true;
}

bool PcapngReader::read_simple_packet(const Block& block, CapturedPacket& packet) {
  constexpr size_t fixed_bytes = 4;
  wire::Bytes body;
  if (!read_body(block, fixed_bytes, body)) return false;
  const Interface* interface = find_interface(block, 0);
  if (interface == nullptr) return false;
  const uint32_t original = order_.load32(&body[0]);
  const uint32_t captured = interface->snap_length == 0 ? original : std::min(original, interface->snap_length);
  const wire::Bytes rest = body.subspan(fixed_bytes);
  if (captured > max_frame_bytes || captured > rest.size()) return fail_captured_length(block, captured, rest.size());
  deliver(0, rest.first(captured), original, packet);
  return true;
}

bool PcapngReader::fail_captured_length(const Block& block, uint32_t captured, size_t room) {
  return fail_block(block, "says " + std::to_string(captured) + " captured bytes, expected at most " +
                               std::to_string(std::min<size_t>(max_frame_bytes, room)));
}

// Needs a wide type: 64-bit ticks as nanoseconds, plus the offset, can exceed 64 bits in between.
bool PcapngReader::read_time(const Block& block, uint64_t ticks, const Interface& interface) {
  const Wide time = Wide{ticks} * nanoseconds_per_second / interface.ticks_per_second +
                    Wide{interface.offset_seconds} * static_cast<int64_t>(nanoseconds_per_second);
  if (time < 0 || time > Wide{UINT64_MAX}) {
    return fail_block(block, "has a time before 1970 or after 2554 (" + std::to_string(ticks) + " ticks of 1/" +
                                 std::to_string(interface.ticks_per_second) + " s, offset " +
                                 std::to_string(interface.offset_seconds) + " s)");
  }
  time_ns_ = static_cast<uint64_t>(time);
  return true;
}

const PcapngReader::Interface* PcapngReader::find_interface(const Block& block, uint32_t number) {
  if (number < interfaces_.size()) {
    const Interface& interface = interfaces_[number];
    if (interface.link_type != 0) return &interface;
    fail(CaptureFault::unsupported, block.offset,
         this_packet() + " is of interface " + std::to_string(number) + ", whose " +
             unsupported_link_type(interface.link_type_in_file) + what_is_kept(),
         link_type_remedy(interface.link_type_in_file));
    return nullptr;
  }
  fail_block(block, "is of interface " + std::to_string(number) + ", expected one of the " +
                        std::to_string(interfaces_.size()) + " that the section describes before it");
  return nullptr;
}

void PcapngReader::deliver(uint32_t number, wire::Bytes bytes, uint32_t original, CapturedPacket& packet) {
  packet.time_ns = time_ns_;
  packet.interface_index = first_interface_ + number;
  packet.link_type = interfaces_[number].link_type;
  packet.original_length = std::max(original, static_cast<uint32_t>(bytes.size()));
  packet.bytes = bytes;
  packets_++;
}

bool PcapngReader::read_body(const Block& block, size_t fixed_bytes, wire::Bytes& body) {
  const size_t smallest = min_block_bytes + fixed_bytes;
  if (block.length < smallest || block.length > ByteWindow::capacity) {
    return fail_block(block, "says a length of " + std::to_string(block.length) + " bytes, expected " +
                                 std::to_string(smallest) + " to " + std::to_string(ByteWindow::capacity));
  }
  const wire::Bytes whole = input_.peek(block.length);
  if (whole.size() < block.length) {
    return fail_short(block.offset, "a block of type " + hexadecimal(block.type), block.length, whole.size());
  }
  if (!check_trailer(block, &whole[block.length - block_trailer_bytes])) return false;
  body = whole.subspan(block_header_bytes, block.length - min_block_bytes);
  input_.consume(block.length);
  return true;
}

bool PcapngReader::skip_block(const Block& block) {
  const uint64_t before_trailer = block.length - block_trailer_bytes;
  const uint64_t skipped = input_.skip(before_trailer);
  const wire::Bytes trailer = skipped < before_trailer ? wire::Bytes{} : input_.peek(block_trailer_bytes);
  if (trailer.size() < block_trailer_bytes) {
    return fail_short(block.offset, "a block of type " + hexadecimal(block.type), block.length,
                      skipped + trailer.size());
  }
  if (!check_trailer(block, trailer.data())) return false;
  input_.consume(block_trailer_bytes);
  return true;
}

bool PcapngReader::check_trailer(const Block& block, const uint8_t* at) {
  const uint32_t repeated = order_.load32(at);
  if (repeated == block.length) return true;
  return fail_block(block, "says a length of " + std::to_string(block.length) + " bytes at its start and " +
                               std::to_string(repeated) + " at its end, expected the same");
}

bool PcapngReader::fail_block(const Block& block, const std::string& problem) {
  return fail(CaptureFault::corrupt, block.offset,
              "the block of type " + hexadecimal(block.type) + " " + problem + what_is_kept(), damage_remedy);
}

}  // namespace sluice::port
