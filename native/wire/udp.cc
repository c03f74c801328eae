// SPDX-License-Identifier: Apache-2.0
#include "wire/udp.h"

namespace sluice::wire {

void emit(const UdpFields& fields, uint8_t* to) {
  store_be16(to, fields.source_port);
  store_be16(to + 2, fields.destination_port);
  store_be16(to + 4, fields.length);
  store_be16(to + 6, no_udp_checksum);
}

}  // namespace sluice::wire
