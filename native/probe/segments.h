// SPDX-License-Identifier: Apache-2.0
// TCP segments that a probe writes itself, as the packets of a service, and what answers them.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "probe/traffic_way.h"
#include "wire/address.h"
#include "wire/bytes.h"

namespace sluice::probe {

using Packet = std::vector<uint8_t>;

// The two ends of a connection; their addresses are of one family.
struct Ends {
  wire::Address local, service;
  uint16_t local_port = 0, service_port = 0;
  bool operator==(const Ends&) const = default;
};

// A whole IP packet without data. A SYN names the greatest segment, as every client does.
Packet segment_of(const Ends& ends, uint8_t flags, uint32_t sequence);

// What an outer IP header between `local` and the way's server carries, and its protocol.
struct Wrapped {
  uint8_t protocol = 0;
  Packet payload;
};
Wrapped wrap(const Packet& inner, const TrafficWay& way, const wire::Address& local, uint16_t source_port);

// What has arrived for a connection, the ends as the connection has them.
struct Arrived {
  Ends ends;
  uint8_t flags = 0;
  uint32_t acknowledgement = 0;
  // Of an ICMP error, which quotes a segment of the connection: what it means for a program, and the segment's number.
  int error = 0;
  uint32_t quoted_sequence = 0;
};
// Nothing where the packet is neither a whole TCP segment nor an error about one, wrapped or not.
std::optional<Arrived> arrived(wire::Bytes packet);

}  // namespace sluice::probe
