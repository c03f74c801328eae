// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace sluice::director {

// Counts of both directions, as `ipvsadm -Ln --stats` shows them.
struct Counters {
  uint64_t connections = 0;
  uint64_t packets_in = 0, packets_out = 0;
  uint64_t bytes_in = 0, bytes_out = 0;

  Counters& operator+=(const Counters& other) {
    connections += other.connections;
    packets_in += other.packets_in;
    bytes_in += other.bytes_in;
    packets_out += other.packets_out;
    bytes_out += other.bytes_out;
    return *this;
  }
  Counters& operator-=(const Counters& other) {
    connections -= other.connections;
    packets_in -= other.packets_in;
    bytes_in -= other.bytes_in;
    packets_out -= other.packets_out;
    bytes_out -= other.bytes_out;
    return *this;
  }
};

}  // namespace sluice::director
