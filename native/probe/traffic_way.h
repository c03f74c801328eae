// SPDX-License-Identifier: Apache-2.0
// How the packets of a service reach a real server that answers clients itself: unchanged in a frame to the server
// (DR), or wrapped in packets to it (tunnel).
#pragma once

#include <cstdint>

#include "probe/socket_address.h"

namespace sluice::probe {

enum class Wrapping : uint8_t { none, ipip, gre, gue };

struct TrafficWay {
  SocketAddress server;  // unspecified: none, packets go to the address that they name
  Wrapping wrapping = Wrapping::none;
  uint16_t gue_port = 0;
  bool has_checksum = false;  // in the header of GRE or GUE
};

}  // namespace sluice::probe
