// SPDX-License-Identifier: Apache-2.0
#include "port/pcap_port.h"

#include "wire/ethernet.h"

namespace sluice::port {

// Reads the next whole frame of the capture, which stays until it is received. False at the end.
bool PcapPort::look_ahead() {
  while (!has_next_ && reader_ != nullptr && !has_ended()) {
    status_ = reader_->next(next_);
    if (has_ended()) break;
    has_next_ = next_.link_type == link_type::ethernet && next_.original_length == next_.bytes.size() &&
                next_.bytes.size() >= wire::EthernetView::header_length;
    if (!has_next_) ++counts_.unreadable;
  }
  if (reader_ == nullptr) status_ = ReadStatus::end;
  return has_next_;
}

size_t PcapPort::receive(std::span<director::Frame> frames) {
  release();
  while (received_.size() < frames.size() && look_ahead()) {
    if (received_.empty())
      time_ns_ = next_.time_ns;
    else if (next_.time_ns - time_ns_ >= batch_ns)  // also when time goes backwards
      break;
    received_.emplace_back(next_.bytes, director::Frame{.port = port_});
    has_next_ = false;
    frames[received_.size() - 1] = received_.back().frame();
    counts_.received_bytes += next_.bytes.size();
  }
  counts_.received += received_.size();
  return received_.size();
}

void PcapPort::transmit(const director::Frame& frame) {
  if (writer_ != nullptr && !writer_->write(time_ns_, frame.length, {frame.data, frame.length})) {
    ++counts_.send_failures;
    return;
  }
  ++counts_.transmitted;
  counts_.transmitted_bytes += frame.length;
}

}  // namespace sluice::port
