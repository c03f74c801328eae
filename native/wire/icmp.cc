// SPDX-License-Identifier: Apache-2.0
#include "wire/icmp.h"

namespace sluice::wire {

void emit(const IcmpFields& fields, uint8_t* to) {
  to[0] = fields.type;
  to[1] = fields.code;
  store_be16(to + 2, 0);
  store_be32(to + 4, fields.rest);
}

}  // namespace sluice::wire
