// SPDX-License-Identifier: Apache-2.0
#include "port/capture_batch.h"

#include <algorithm>

namespace sluice::port {

namespace {

uint32_t field_of(const CaptureBatch& batch, size_t packet, BatchField field) {
  return batch.fields[packet * batch_field_count + static_cast<size_t>(field)];
}

}  // namespace

size_t BatchReader::read(const CaptureBatch& batch) {
  const size_t room = std::min(batch.times.size(), batch.fields.size() / batch_field_count);
  size_t packets = 0;
  size_t used = 0;
  while (packets < room && next_packet() && packet_.bytes.size() <= batch.data.size() - used) {
    std::copy(packet_.bytes.begin(), packet_.bytes.end(), batch.data.begin() + static_cast<ptrdiff_t>(used));
    batch.times[packets] = packet_.time_ns;
    uint32_t* const fields = &batch.fields[packets * batch_field_count];
    const auto set = [fields](BatchField field, uint32_t value) { fields[static_cast<size_t>(field)] = value; };
    set(BatchField::bytes_begin, static_cast<uint32_t>(used));
    set(BatchField::bytes_length, static_cast<uint32_t>(packet_.bytes.size()));
    set(BatchField::original_length, packet_.original_length);
    set(BatchField::interface_index, packet_.interface_index);
    set(BatchField::link_type, packet_.link_type);
    used += packet_.bytes.size();
    packets++;
    pending_ = false;
  }
  failed_ = packets == 0 && !pending_ && status_ == ReadStatus::error;
  return packets;
}

bool BatchReader::next_packet() {
  if (pending_) return true;
  status_ = reader_.next(packet_);
  pending_ = status_ == ReadStatus::packet;
  return pending_;
}

bool is_within(const CaptureBatch& batch, size_t packets) {
  if (packets > batch.times.size() || packets > batch.fields.size() / batch_field_count) return false;
  for (size_t i = 0; i < packets; i++) {
    const uint64_t begin = field_of(batch, i, BatchField::bytes_begin);
    if (begin + field_of(batch, i, BatchField::bytes_length) > batch.data.size()) return false;
  }
  return true;
}

bool write_batch(PcapWriter& writer, const CaptureBatch& batch, size_t packets) {
  for (size_t i = 0; i < packets; i++) {
    const wire::Bytes bytes =
        batch.data.subspan(field_of(batch, i, BatchField::bytes_begin), field_of(batch, i, BatchField::bytes_length));
    if (!writer.write(batch.times[i], field_of(batch, i, BatchField::original_length), bytes)) return false;
  }
  return true;
}

}  // namespace sluice::port
