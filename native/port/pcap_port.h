// SPDX-License-Identifier: Apache-2.0
// A port whose frames come from one capture file and go to another. The clock is the capture's.
#pragma once

#include <vector>

#include "port/capture_reader.h"
#include "port/owned_frame.h"
#include "port/pcap_writer.h"
#include "port/port.h"

namespace sluice::port {

class PcapPort final : public Port {
 public:
  // The reader is open and the writer has begun, with Ethernet; both outlive this. Either may be missing: nothing comes
  // then, or what is sent is only counted. What a capture holds besides whole Ethernet frames counts as unreadable.
  PcapPort(CaptureReader* reader, PcapWriter* writer, director::PortId port = 0)
      : reader_(reader), writer_(writer), port_(port) {}

  // Of the batch last received; what is sent gets this stamp.
  uint64_t time_ns() const { return time_ns_; }
  // Everything has been received, or the reader has an error, which then tells why there is no more.
  bool has_ended() const { return status_ != ReadStatus::packet; }
  bool failed() const { return status_ == ReadStatus::error; }

  // A batch is what came within a tenth of a millisecond, as a worker under load would find it.
  size_t receive(std::span<director::Frame> frames) override;
  void release() override { received_.clear(); }
  void transmit(const director::Frame& frame) override;
  void flush() override {}
  int fd() const override { return -1; }
  bool prepare_to_wait() override { return has_ended(); }
  PortStatistics statistics() override { return counts_; }

 private:
  static constexpr uint64_t batch_ns = 100'000;

  bool look_ahead();

  CaptureReader* const reader_;
  PcapWriter* const writer_;
  const director::PortId port_;
  CapturedPacket next_;
  bool has_next_ = false;
  ReadStatus status_ = ReadStatus::packet;
  uint64_t time_ns_ = 0;
  std::vector<OwnedFrame> received_;
  PortStatistics counts_;
};

}  // namespace sluice::port
