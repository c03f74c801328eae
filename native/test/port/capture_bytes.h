// SPDX-License-Identifier: Apache-2.0
// Capture files built by hand for tests, in either byte order, and all results of a reader for one file.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "port/capture.h"
#include "port/capture_reader.h"
#include "port/pcapng_reader.h"

namespace sluice::port {

class CaptureBytes {
 public:
  explicit CaptureBytes(bool big_endian = false) : big_endian_(big_endian) {}

  CaptureBytes& u8(uint8_t value) { return number(value, 1); }
  CaptureBytes& u16(uint16_t value) { return number(value, 2); }
  CaptureBytes& u32(uint32_t value) { return number(value, 4); }
  CaptureBytes& u64(uint64_t value) { return number(value, 8); }
  CaptureBytes& raw(const std::vector<uint8_t>& more) {
    bytes.insert(bytes.end(), more.begin(), more.end());
    return *this;
  }
  CaptureBytes& pad() {
    while (bytes.size() % 4 != 0) u8(0);
    return *this;
  }
  CaptureBytes& order(bool big_endian) {
    big_endian_ = big_endian;
    return *this;
  }

  CaptureBytes& pcap_header(uint32_t magic, uint32_t link_type = link_type::ethernet, uint16_t minor = 4) {
    return u32(magic).u16(2).u16(minor).u32(0).u32(0).u32(65535).u32(link_type);
  }
  CaptureBytes& pcap_record(uint32_t seconds, uint32_t fraction, const std::vector<uint8_t>& data, uint32_t original) {
    return u32(seconds).u32(fraction).u32(static_cast<uint32_t>(data.size())).u32(original).raw(data);
  }

  CaptureBytes& block(uint32_t type, const std::function<void(CaptureBytes&)>& write_body) {
    CaptureBytes body(big_endian_);
    write_body(body);
    body.pad();
    const auto length = static_cast<uint32_t>(body.bytes.size() + 12);
    return u32(type).u32(length).raw(body.bytes).u32(length);
  }
  CaptureBytes& section() {
    return block(pcapng::section_header,
                 [](CaptureBytes& body) { body.u32(0x1a2b3c4d).u16(1).u16(0).u64(UINT64_MAX); });
  }
  CaptureBytes& interface(uint16_t link_type, const std::function<void(CaptureBytes&)>& write_options = nullptr,
                          uint32_t snap_length = 0) {
    return block(pcapng::interface_description, [&](CaptureBytes& body) {
      body.u16(link_type).u16(0).u32(snap_length);
      if (write_options) write_options(body);
    });
  }
  CaptureBytes& option(uint16_t code, const std::vector<uint8_t>& value) {
    return u16(code).u16(static_cast<uint16_t>(value.size())).raw(value).pad();
  }
  CaptureBytes& option64(uint16_t code, uint64_t value) { return u16(code).u16(8).u64(value); }
  CaptureBytes& enhanced(uint32_t interface_id, uint64_t ticks, const std::vector<uint8_t>& data, uint32_t original) {
    return block(pcapng::enhanced_packet, [&](CaptureBytes& body) {
      body.u32(interface_id).u32(static_cast<uint32_t>(ticks >> 32)).u32(static_cast<uint32_t>(ticks));
      body.u32(static_cast<uint32_t>(data.size())).u32(original).raw(data);
    });
  }

  std::vector<uint8_t> bytes;

 private:
  CaptureBytes& number(uint64_t value, int size) {
    for (int i = 0; i < size; i++) {
      const int shift = 8 * (big_endian_ ? size - 1 - i : i);
      bytes.push_back(static_cast<uint8_t>(value >> shift));
    }
    return *this;
  }

  bool big_endian_;
};

inline std::string text(const CaptureError& error) {
  return error.remedy.empty() ? error.problem : error.problem + "; " + error.remedy;
}

struct ReadPacket {
  uint64_t time_ns;
  uint32_t interface_index;
  uint16_t link_type;
  uint32_t original_length;
  std::vector<uint8_t> bytes;

  bool operator==(const ReadPacket&) const = default;
};

struct Reading {
  std::vector<ReadPacket> packets;
  bool failed = false;
  CaptureError error;
};

inline Reading read_all(ByteSource& source) {
  CaptureReader reader(source);
  Reading reading;
  if (reader.open()) {
    CapturedPacket packet;
    ReadStatus status;
    while ((status = reader.next(packet)) == ReadStatus::packet) {
      reading.packets.push_back({packet.time_ns,
                                 packet.interface_index,
                                 packet.link_type,
                                 packet.original_length,
                                 {packet.bytes.begin(), packet.bytes.end()}});
    }
    reading.failed = status == ReadStatus::error;
  } else {
    reading.failed = true;
  }
  if (reading.failed) reading.error = reader.error();
  return reading;
}

inline Reading read_all(wire::Bytes bytes, size_t chunk = SIZE_MAX) {
  MemorySource source(bytes, chunk);
  return read_all(source);
}

}  // namespace sluice::port
