// SPDX-License-Identifier: Apache-2.0
#include "wire/ethernet.h"

namespace sluice::wire {

void emit(const EthernetFields& fields, uint8_t* to) {
  std::memcpy(to, &fields.destination.bytes, MacAddress::size);
  std::memcpy(to + MacAddress::size, &fields.source.bytes, MacAddress::size);
  store_be16(to + EthernetView::type_offset, fields.type);
}

}  // namespace sluice::wire
