// SPDX-License-Identifier: Apache-2.0
#include "wire/arp.h"

#include "wire/text.h"

namespace sluice::wire {

void emit(const ArpFields& fields, uint8_t* to) {
  store_be16(to, ArpView::ethernet_hardware);
  store_be16(to + 2, ethertype::ipv4);
  to[4] = MacAddress::size;
  to[5] = sizeof(Ipv4Address::raw);
  store_be16(to + 6, fields.operation);
  std::memcpy(to + 8, &fields.sender_mac.bytes, MacAddress::size);
  fields.sender.store(to + 14);
  std::memcpy(to + 18, &fields.target_mac.bytes, MacAddress::size);
  fields.target.store(to + 24);
}

void print(std::string& out, ArpView arp, size_t length) {
  const std::string sender = to_string(arp.sender()), target = to_string(arp.target());
  if (arp.operation() == arp_operation::request) {
    append(out, "ARP, Request who-has %s ", target.c_str());
    if (arp.target_mac() != MacAddress{}) append(out, "(%s) ", to_string(arp.target_mac()).c_str());
    append(out, "tell %s", sender.c_str());
  } else if (arp.operation() == arp_operation::reply) {
    append(out, "ARP, Reply %s is-at %s", sender.c_str(), to_string(arp.sender_mac()).c_str());
  } else {
    append(out, "ARP, Unknown (%u)", arp.operation());
  }
  append(out, ", length %zu", length);
}

}  // namespace sluice::wire
