// SPDX-License-Identifier: Apache-2.0
#include "port/pcapng_writer.h"

#include <array>
#include <string>

#include "port/byte_order.h"
#include "port/pcapng_reader.h"

namespace sluice::port {

using namespace pcapng;

namespace {

constexpr size_t option_header_bytes = 4;
constexpr std::string_view resolution_value{"\x09", 1};  // if_tsresol: ticks of 10^-9 s
constexpr size_t max_option_bytes = UINT16_MAX;

constexpr size_t option_bytes(std::string_view value) {
  return option_header_bytes + padded(value.size());
}

wire::Bytes zeros(size_t count) {
  static constexpr std::array<uint8_t, 4> padding{};
  return wire::Bytes(padding).first(count);
}

}  // namespace

bool PcapngWriter::begin() {
  constexpr uint32_t length = 28;
  std::array<uint8_t, length> block{};
  store_le32(&block[0], section_header);
  store_le32(&block[4], length);
  store_le32(&block[8], byte_order_magic);
  store_le16(&block[12], 1);
  store_le16(&block[14], 0);
  store_le32(&block[16], UINT32_MAX);  // the section's length is unknown
  store_le32(&block[20], UINT32_MAX);
  store_le32(&block[24], length);
  return emit(block);
}

bool PcapngWriter::add_interface(uint32_t link_type, std::string_view name) {
  if (supported_link_type(link_type) != link_type)
    return misuse(unsupported_link_type(link_type), link_type_remedy(link_type));
  if (!check_text("an interface's name", name)) return false;
  if (interfaces_ == max_interfaces_per_section) {
    return misuse("a capture has at most " + std::to_string(max_interfaces_per_section) + " interfaces",
                  "write several files");
  }
  constexpr size_t head_bytes = 16;
  const size_t name_bytes = name.empty() ? 0 : option_bytes(name);
  const auto length = static_cast<uint32_t>(head_bytes + name_bytes + option_bytes(resolution_value) +
                                            option_header_bytes + block_trailer_bytes);
  std::array<uint8_t, head_bytes> head{};
  store_le32(&head[0], interface_description);
  store_le32(&head[4], length);
  store_le16(&head[8], static_cast<uint16_t>(link_type));
  store_le32(&head[12], max_frame_bytes);
  if (!emit(head)) return false;
  if (!name.empty() && !emit_option(option_interface_name, name)) return false;
  if (!emit_option(option_time_resolution, resolution_value) || !emit_option(option_end, {})) return false;
  if (!emit_trailer(length)) return false;
  interfaces_++;
  return true;
}

bool PcapngWriter::write(uint32_t interface_index, uint64_t time_ns, uint32_t original_length, wire::Bytes bytes,
                         std::string_view comment) {
  if (!check_packet(bytes, original_length) || !check_text("a packet's comment", comment)) return false;
  if (interface_index >= interfaces_) {
    return misuse(
        "interface " + std::to_string(interface_index) + " was not added, " + std::to_string(interfaces_) + " were",
        "add it before its packets");
  }
  constexpr size_t head_bytes = 28;
  const size_t options_bytes = comment.empty() ? 0 : option_bytes(comment) + option_header_bytes;
  const auto length = static_cast<uint32_t>(head_bytes + padded(bytes.size()) + options_bytes + block_trailer_bytes);
  std::array<uint8_t, head_bytes> head;
  store_le32(&head[0], enhanced_packet);
  store_le32(&head[4], length);
  store_le32(&head[8], interface_index);
  store_le32(&head[12], static_cast<uint32_t>(time_ns >> 32));
  store_le32(&head[16], static_cast<uint32_t>(time_ns));
  store_le32(&head[20], static_cast<uint32_t>(bytes.size()));
  store_le32(&head[24], original_length);
  if (!emit(head) || !emit(bytes) || !emit(zeros(padded(bytes.size()) - bytes.size()))) return false;
  if (!comment.empty() && (!emit_option(option_comment, comment) || !emit_option(option_end, {}))) return false;
  return emit_trailer(length);
}

bool PcapngWriter::check_text(std::string_view what, std::string_view text) {
  if (text.size() <= max_option_bytes) return true;
  return misuse(std::string(what) + " of " + std::to_string(text.size()) + " bytes does not fit, at most " +
                    std::to_string(max_option_bytes) + " do",
                "shorten it");
}

bool PcapngWriter::emit_option(uint16_t code, std::string_view value) {
  std::array<uint8_t, option_header_bytes> header;
  store_le16(&header[0], code);
  store_le16(&header[2], static_cast<uint16_t>(value.size()));
  return emit(header) && emit({reinterpret_cast<const uint8_t*>(value.data()), value.size()}) &&
         emit(zeros(padded(value.size()) - value.size()));
}

bool PcapngWriter::emit_trailer(uint32_t length) {
  std::array<uint8_t, block_trailer_bytes> trailer;
  store_le32(trailer.data(), length);
  return emit(trailer);
}

}  // namespace sluice::port
