// SPDX-License-Identifier: Apache-2.0
#include "decap/decap_work.h"

#include <algorithm>
#include <cstring>

#include "decap/tun_port.h"
#include "decap/tunnel_port.h"

namespace sluice::decap {

void DecapWork::receive(std::span<director::Frame> batch, const Turn& turn) {
  for (const director::Frame& frame : batch) {
    TunnelHead head;
    std::memcpy(&head, frame.data, sizeof head);
    wire::MutableBytes payload(frame.data + sizeof head, frame.length - sizeof head);
    const bool is_cut = frame.segmentation == director::Segmentation::udp;
    const size_t size = is_cut ? frame.segment_size : payload.size();
    // An empty datagram is also handled: it has a bad GUE header.
    do {
      const wire::MutableBytes one = payload.first(std::min(size, payload.size()));
      take({head.protocol, head.traffic_class, one}, turn);
      payload = payload.subspan(one.size());
    } while (!payload.empty());
  }
}

void DecapWork::take(const Arrived& arrived, const Turn& turn) {
  const Inner inner = decapsulate(arrived, addresses_);
  counts_[static_cast<size_t>(inner.reason)]++;
  if (inner.reason == Reason::delivered) turn.out.push(TunPort::framed(inner, device_));
}

}  // namespace sluice::decap
