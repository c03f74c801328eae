// SPDX-License-Identifier: Apache-2.0
// Reads a capture of either format: the first bytes tell which. Holds one window of the file, whatever the file's size.
#pragma once

#include <cstdint>
#include <variant>

#include "port/byte_source.h"
#include "port/capture.h"
#include "port/pcap_reader.h"
#include "port/pcapng_reader.h"

namespace sluice::port {

enum class CaptureFormat : uint8_t { pcap, pcapng };

class CaptureReader {
 public:
  // The source must outlive the reader.
  explicit CaptureReader(ByteSource& source) : input_(source) {}
  CaptureReader(const CaptureReader&) = delete;
  CaptureReader& operator=(const CaptureReader&) = delete;

  // Finds the format and reads the file header; false with error().
  bool open();
  // The next packet, whose bytes are valid until the next call. After an error every further call reports it again.
  ReadStatus next(CapturedPacket& packet);

  CaptureFormat format() const {
    return std::holds_alternative<PcapReader>(reader_) ? CaptureFormat::pcap : CaptureFormat::pcapng;
  }
  // False when no time stamp of the file is finer than a microsecond.
  bool has_nanoseconds() const {
    const auto* const pcap = std::get_if<PcapReader>(&reader_);
    return pcap == nullptr || pcap->has_nanoseconds();
  }
  const CaptureError& error() const;

 private:
  bool fail(CaptureFault fault, std::string problem, std::string remedy);

  ByteWindow input_;
  std::variant<std::monostate, PcapReader, PcapngReader> reader_;
  CaptureError error_;  // of finding the format
};

}  // namespace sluice::port
