// SPDX-License-Identifier: Apache-2.0
// Numbers that one protocol uses to name the next: EtherTypes and IP protocol numbers (IANA).
#pragma once

#include <cstdint>

namespace sluice::wire {

namespace ethertype {
inline constexpr uint16_t ipv4 = 0x0800;
inline constexpr uint16_t arp = 0x0806;
inline constexpr uint16_t teb = 0x6558;   // transparent Ethernet bridging: a whole frame inside GRE
inline constexpr uint16_t vlan = 0x8100;  // 802.1Q
inline constexpr uint16_t ipv6 = 0x86dd;
inline constexpr uint16_t provider_vlan = 0x88a8;      // 802.1ad outer tag
inline constexpr uint16_t old_provider_vlan = 0x9100;  // outer tag before 802.1ad
inline constexpr uint16_t first = 0x0600;              // below: an IEEE 802.3 length, not a type
}  // namespace ethertype

namespace protocol {
inline constexpr uint8_t hop_by_hop = 0;
inline constexpr uint8_t icmp = 1;
inline constexpr uint8_t ipip = 4;
inline constexpr uint8_t tcp = 6;
inline constexpr uint8_t udp = 17;
inline constexpr uint8_t ipv6 = 41;
inline constexpr uint8_t routing = 43;
inline constexpr uint8_t fragment = 44;
inline constexpr uint8_t gre = 47;
inline constexpr uint8_t esp = 50;
inline constexpr uint8_t ah = 51;
inline constexpr uint8_t icmpv6 = 58;
inline constexpr uint8_t no_next_header = 59;
inline constexpr uint8_t destination_options = 60;
inline constexpr uint8_t sctp = 132;
}  // namespace protocol

}  // namespace sluice::wire
