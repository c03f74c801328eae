// SPDX-License-Identifier: Apache-2.0
// Packets of a capture, many at a time, in memory of the caller's: the bytes of all one after another, and an index.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "port/capture_reader.h"
#include "port/pcap_writer.h"
#include "wire/bytes.h"

namespace sluice::port {

// The fields of a packet in the index, in this order.
enum class BatchField : uint8_t { bytes_begin, bytes_length, original_length, interface_index, link_type, count };
inline constexpr size_t batch_field_count = static_cast<size_t>(BatchField::count);

struct CaptureBatch {
  wire::MutableBytes data;     // at least max_frame_bytes
  std::span<uint64_t> times;   // one a packet
  std::span<uint32_t> fields;  // batch_field_count a packet
};

class BatchReader {
 public:
  // The reader must outlive this, and be read by nobody else.
  explicit BatchReader(CaptureReader& reader) : reader_(reader) {}

  // Fills as much of the batch as there is; returns how many packets that were. 0: the end, or failed() is true.
  // An error after some packets is reported by the next call, so that none of them is lost.
  size_t read(const CaptureBatch& batch);
  bool failed() const { return failed_; }

 private:
  bool next_packet();

  CaptureReader& reader_;
  CapturedPacket packet_;
  bool pending_ = false;                 // the packet did not fit the last batch
  ReadStatus status_ = ReadStatus::end;  // of the reader's last call
  bool failed_ = false;
};

// Whether the batch has room for so many packets, and their bytes lie within its data.
bool is_within(const CaptureBatch& batch, size_t packets);

// Writes the first `packets` of a batch, for which is_within() is true; false with the writer's error().
bool write_batch(PcapWriter& writer, const CaptureBatch& batch, size_t packets);

}  // namespace sluice::port
