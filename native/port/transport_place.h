// SPDX-License-Identifier: Apache-2.0
// Where in a frame its transport header is: what most frames are is seen at once, the rest is dissected.
#pragma once

#include <cstdint>

#include "wire/bytes.h"

namespace sluice::port {

struct TransportPlace {
  uint16_t network = 0;  // offset of the IP header
  uint16_t offset = 0;   // of the transport header; 0: there is none, or not the whole of what it begins
  uint32_t end = 0;      // of the packet: the frame may be longer
  uint8_t protocol = 0;
};

TransportPlace transport_of(wire::Bytes frame);

}  // namespace sluice::port
