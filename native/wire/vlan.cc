// SPDX-License-Identifier: Apache-2.0
#include "wire/vlan.h"

#include "wire/text.h"

namespace sluice::wire {

void emit(const VlanFields& fields, uint8_t* to) {
  store_be16(to, fields.tci);
  store_be16(to + 2, fields.type);
}

void print_vlan(std::string& out, uint16_t tci) {
  append(out, "vlan %u, p %u, %s", tci & VlanView::id_mask, tci >> 13,
         (tci & VlanView::drop_eligible_bit) != 0 ? "DEI, " : "");
}

}  // namespace sluice::wire
