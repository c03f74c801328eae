// SPDX-License-Identifier: Apache-2.0
#include "engine/tap.h"

#include <algorithm>
#include <cstring>

#include "wire/packet.h"

namespace sluice::engine {

namespace {

// Records begin at multiples of this number, so that their headers can be copied whole.
constexpr size_t alignment = 8;

size_t size_of_record(size_t length) {
  return (sizeof(TappedFrame) + length + alignment - 1) / alignment * alignment;
}

wire::Bytes bytes_of_frame(const director::Frame& frame) {
  return {frame.data, frame.length};
}

wire::Address address_at(const wire::Packet& packet, const uint8_t* at) {
  if (packet.ip_version == 4) return wire::Ipv4Address::load(at);
  return wire::Ipv6Address::load(at);
}

// The offset of the two addresses in an IP header.
size_t addresses_at(const wire::Packet& packet) {
  return packet.l3 + (packet.ip_version == 4 ? 12u : 8u);
}

size_t address_length(const wire::Packet& packet) {
  return packet.ip_version == 4 ? 4 : 16;
}

}  // namespace

bool RecordRing::begin(size_t size) {
  return at_ + size - read_.load(std::memory_order_acquire) <= capacity_;
}

void RecordRing::put(const void* bytes, size_t size) {
  const size_t place = at_ & (capacity_ - 1), first = std::min(size, capacity_ - place);
  std::memcpy(bytes_.get() + place, bytes, first);
  std::memcpy(bytes_.get(), static_cast<const uint8_t*>(bytes) + first, size - first);
  at_ += size;
}

void RecordRing::copy_out(size_t offset, void* to, size_t size) const {
  const size_t place = (read_.load(std::memory_order_relaxed) + offset) & (capacity_ - 1);
  const size_t first = std::min(size, capacity_ - place);
  std::memcpy(to, bytes_.get() + place, first);
  std::memcpy(static_cast<uint8_t*>(to) + first, bytes_.get(), size - first);
}

void Tap::before(std::span<const director::Frame> frames) {
  copies_.clear();
  came_.clear();
  for (const director::Frame& frame : frames) {
    came_.push_back({copies_.size(), frame.length, frame.port});
    copies_.insert(copies_.end(), frame.data, frame.data + frame.length);
  }
}

void Tap::after(std::span<const director::Decision> decisions, Sent sent, const director::Director& director,
                Time now) {
  host_port_ = director.route_table().ports().size();
  for (uint32_t i = 0; i < came_.size(); i++) {
    TappedFrame head;
    head.reason = decisions[i].reason;
    head.time = now;
    if (decisions[i].destination != director::no_destination) {
      const director::Destination& destination = director.services().destination(decisions[i].destination);
      head.has_service = head.has_server = true;
      head.service = destination.home;
      head.server = destination.address;
      head.server_port = destination.port;
      head.forwarding = destination.forwarding;
    } else if (decisions[i].service != nullptr) {
      head.has_service = true;
      head.service = decisions[i].service->key;
    }
    if (wants(came_[i], decisions[i], head, sent, i)) record(came_[i], head, sent, i);
  }
}

bool Tap::wants(const Copy& came, const director::Decision& decision, const TappedFrame& head, Sent sent,
                uint32_t cause) const {
  if (filter_.verdict && decision.verdict() != *filter_.verdict) return false;
  if (filter_.reason && decision.reason != *filter_.reason) return false;
  if (filter_.came_on && came.port != *filter_.came_on) return false;
  if (filter_.service && !(head.has_service && head.service == *filter_.service)) return false;
  if (!filter_.host && !filter_.port && !filter_.protocol) return true;
  if (is_about(bytes_of(came))) return true;
  return std::any_of(sent.begin(), sent.end(), [&](const director::TransmitQueue::Entry& entry) {
    return entry.cause == cause && is_about(bytes_of_frame(entry.frame));
  });
}

bool Tap::is_about(wire::Bytes frame) const {
  wire::Packet packet;
  wire::dissect(frame, packet);
  if (filter_.protocol && (packet.ip_version == 0 || packet.protocol != *filter_.protocol)) return false;
  if (filter_.port &&
      !(packet.has_ports && (packet.source_port == *filter_.port || packet.destination_port == *filter_.port))) {
    return false;
  }
  if (!filter_.host) return true;
  const size_t first = addresses_at(packet), length = address_length(packet);
  if (packet.ip_version == 0 || frame.size() < first + 2 * length) return false;
  return address_at(packet, frame.data() + first) == *filter_.host ||
         address_at(packet, frame.data() + first + length) == *filter_.host;
}

// Records the received frame and the frames transmitted for it, or none of them.
void Tap::record(const Copy& came, TappedFrame& head, Sent sent, uint32_t cause) {
  size_t size = size_of_record(came.length);
  for (const auto& entry : sent) {
    if (entry.cause != cause || is_for_host(entry)) continue;
    size += size_of_record(entry.frame.length);
    head.left++;
  }
  head.packet = packets_++;
  if (!ring_.begin(size)) {
    missed_.store(missed_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    return;
  }
  const auto put = [&](wire::Bytes bytes) {
    constexpr uint8_t padding[alignment] = {};
    head.length = static_cast<uint32_t>(bytes.size());
    head.size = static_cast<uint32_t>(size_of_record(bytes.size()));
    ring_.put(&head, sizeof head);
    ring_.put(bytes.data(), bytes.size());
    ring_.put(padding, head.size - sizeof head - bytes.size());
  };
  head.port = came.port;
  put(bytes_of(came));
  head.has_left = true;
  for (const auto& entry : sent) {
    if (entry.cause != cause || is_for_host(entry)) continue;
    head.port = entry.frame.port;
    put(bytes_of_frame(entry.frame));
  }
  ring_.end();
}

bool Tap::take(TappedFrame& frame, std::vector<uint8_t>& bytes) {
  if (ring_.readable() == 0) return false;
  ring_.copy_out(0, &frame, sizeof frame);
  bytes.resize(frame.length);
  ring_.copy_out(sizeof frame, bytes.data(), frame.length);
  ring_.consume(frame.size);
  return true;
}

}  // namespace sluice::engine
