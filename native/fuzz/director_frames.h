// SPDX-License-Identifier: Apache-2.0
// The first frames of programs for the director's fuzz target: of every kind of flow, in both directions, and
// everything else that the director answers.
#pragma once

#include <string_view>
#include <vector>

#include "packet_builder.h"

namespace sluice::test {

inline constexpr std::string_view c0_mac = "02:00:00:00:c0:00", s0_mac = "02:00:00:00:50:00",
                                  host_mac = "02:00:00:00:00:01";
inline constexpr std::string_view client4 = "10.0.1.2", client6 = "2001:db8:1::2", vip4 = "10.0.1.100",
                                  vip6 = "2001:db8:1::100";
inline constexpr std::string_view server4 = "10.0.2.11", server6 = "2001:db8:2::11", local4 = "10.0.2.200",
                                  local6 = "2001:db8:2::200";
inline constexpr std::string_view remote4 = "198.51.100.7", remote6 = "2001:db8:f::7", public4 = "10.0.1.200";

inline PacketBuilder at_c0() {
  return ethernet({.source = host_mac, .destination = c0_mac});
}
inline PacketBuilder at_s0() {
  return ethernet({.source = host_mac, .destination = s0_mac});
}

inline void add_connections(std::vector<Buffer>& all) {
  for (const uint8_t flags : {SYN, ACK, FIN, RST}) {
    for (const uint16_t port : {80, 81, 82, 83, 84, 21}) {
      all.push_back(
          at_c0().ipv4().tcp({.source_port = 1000, .destination_port = port, .flags = flags}).payload("data").build());
      all.push_back(at_c0()
                        .ipv6({.source = client6, .destination = vip6})
                        .tcp({.source_port = 1000, .destination_port = port, .flags = flags})
                        .build());
    }
    const auto back = static_cast<uint8_t>(flags | ACK);
    all.push_back(at_s0()
                      .ipv4({.source = server4, .destination = client4})
                      .tcp({.source_port = 80, .destination_port = 1000, .flags = back})
                      .build());
    all.push_back(at_s0()
                      .ipv6({.source = server6, .destination = client6})
                      .tcp({.source_port = 80, .destination_port = 1000, .flags = back})
                      .build());
    all.push_back(at_s0()
                      .ipv4({.source = server4, .destination = local4})
                      .tcp({.source_port = 80, .destination_port = 40000, .flags = back})
                      .build());
  }
  for (const uint16_t port : {53, 54}) {
    all.push_back(at_c0().ipv4().udp({.source_port = 1000, .destination_port = port}).payload("question").build());
    all.push_back(at_c0()
                      .ipv6({.source = client6, .destination = vip6})
                      .udp({.source_port = 1000, .destination_port = port})
                      .payload("question")
                      .build());
  }
  all.push_back(at_s0()
                    .ipv4({.source = server4, .destination = client4})
                    .udp({.source_port = 53, .destination_port = 1000, .checksum = 0})
                    .payload("answer")
                    .build());
  for (const uint8_t type : {uint8_t{wire::sctp_chunk::init}, uint8_t{0}, uint8_t{6}, uint8_t{10}}) {
    all.push_back(at_c0()
                      .ipv4()
                      .sctp({.source_port = 1000, .destination_port = 5001})
                      .chunk({.type = type, .value = Buffer(16)})
                      .build());
  }
}

inline void add_fragments(std::vector<Buffer>& all) {
  for (const uint8_t protocol : {6, 17, 132, 1}) {
    for (const uint16_t offset : {64, 72, 96}) {
      all.push_back(at_c0()
                        .ipv4({.id = 1, .offset = offset, .more = offset < 96, .protocol = protocol})
                        .payload(Buffer(24))
                        .build());
      all.push_back(at_c0()
                        .ipv6({.source = client6, .destination = vip6})
                        .fragment({.offset = offset, .more = offset < 96, .next_header = protocol})
                        .payload(Buffer(24))
                        .build());
    }
  }
  all.push_back(at_c0()
                    .ipv4({.id = 1, .more = true})
                    .udp({.source_port = 1000, .destination_port = 53})
                    .payload(Buffer(56))
                    .build());
  all.push_back(at_c0().ipv4({.id = 1, .more = true}).tcp({.source_port = 1000}).payload(Buffer(44)).build());
  all.push_back(at_c0()
                    .ipv4({.id = 1, .more = true})
                    .sctp({.source_port = 1000})
                    .chunk({.type = wire::sctp_chunk::init, .value = Buffer(48)})
                    .build());
  all.push_back(at_s0()
                    .ipv4({.source = server4, .destination = remote4, .id = 1, .more = true})
                    .icmp()
                    .payload(Buffer(56))
                    .build());
  all.push_back(at_s0()
                    .ipv4({.source = server4, .destination = remote4, .id = 1, .offset = 64, .protocol = 1})
                    .payload(Buffer(20))
                    .build());
  all.push_back(at_c0()
                    .ipv6({.source = client6, .destination = vip6})
                    .fragment({.more = true})
                    .udp({.source_port = 1000, .destination_port = 53})
                    .payload(Buffer(56))
                    .build());
}

inline void add_messages(std::vector<Buffer>& all) {
  for (const uint8_t type : {3, 11, 4}) {
    for (const uint8_t code : {1, 4}) {
      const IcmpLayer error{.type = type, .code = code, .rest = 600};
      all.push_back(at_s0()
                        .ipv4({.source = server4, .destination = client4})
                        .icmp(error)
                        .ipv4({.source = client4, .destination = server4})
                        .tcp({.source_port = 1000})
                        .build());
      all.push_back(at_c0()
                        .ipv4({.source = remote4})
                        .icmp(error)
                        .ipv4({.source = vip4, .destination = client4})
                        .tcp({.source_port = 80, .destination_port = 1000})
                        .build());
      all.push_back(at_s0()
                        .ipv4({.source = server4, .destination = local4})
                        .icmp(error)
                        .ipv4({.source = local4, .destination = server4})
                        .tcp({.source_port = 40000})
                        .build());
      all.push_back(at_c0()
                        .ipv4({.source = remote4, .destination = public4})
                        .icmp(error)
                        .ipv4({.source = public4, .destination = remote4})
                        .icmp({.rest = 50000u << 16})
                        .build());
      all.push_back(at_s0()
                        .ipv4({.source = server4, .destination = "10.0.2.1"})
                        .icmp(error)
                        .ipv4({.source = "10.0.2.1", .destination = server4})
                        .ipv4({.dont_fragment = true})
                        .tcp({.source_port = 1000, .destination_port = 83})
                        .build());
      all.push_back(at_s0()
                        .ipv4({.source = server4, .destination = "10.0.2.1"})
                        .icmp(error)
                        .ipv4({.source = "10.0.2.1", .destination = server4})
                        .udp({.destination_port = 6080})
                        .gue()
                        .ipv4()
                        .tcp({.source_port = 1000, .destination_port = 84})
                        .build());
    }
  }
  all.push_back(at_s0()
                    .ipv6({.source = server6, .destination = client6})
                    .icmpv6({.type = 2, .rest = 1300})
                    .ipv6({.source = client6, .destination = server6})
                    .tcp({.source_port = 1000})
                    .build());
  all.push_back(at_c0().ipv4().icmp().payload("ping").build());
  all.push_back(at_c0().ipv6({.source = client6, .destination = vip6}).icmpv6().payload("ping").build());
  all.push_back(
      at_s0().ipv4({.source = server4, .destination = remote4}).icmp({.rest = 0x11110001}).payload("ping").build());
  all.push_back(at_c0()
                    .ipv4({.source = remote4, .destination = public4})
                    .icmp({.type = 0, .rest = 50000u << 16 | 1})
                    .payload("ping")
                    .build());
  all.push_back(
      at_s0().ipv6({.source = server6, .destination = remote6}).icmpv6({.type = 128, .rest = 0x11110001}).build());
  all.push_back(ethernet({.destination = "ff:ff:ff:ff:ff:ff"}).arp({.target = vip4}).build());
  all.push_back(ethernet({.destination = "33:33:ff:00:01:00"})
                    .ipv6({.source = client6, .destination = "ff02::1:ff00:100", .hop_limit = 255})
                    .neighbour({.target = vip6})
                    .build());
  all.push_back(
      at_c0().ipv6({.source = client6, .destination = vip6, .hop_limit = 255}).neighbour({.target = vip6}).build());
  all.push_back(ethernet({.destination = "33:33:ff:00:01:00"})
                    .ipv6({.source = client6, .destination = "ff02::1:ff00:100", .hop_limit = 255})
                    .fragment({.offset = 8, .next_header = 58})
                    .build());
}

inline void add_egress(std::vector<Buffer>& all) {
  for (const uint8_t flags : {SYN, ACK, FIN, RST}) {
    all.push_back(at_s0()
                      .ipv4({.source = server4, .destination = remote4})
                      .tcp({.source_port = 1000, .destination_port = 443, .flags = flags})
                      .build());
    all.push_back(at_c0()
                      .ipv4({.source = remote4, .destination = public4})
                      .tcp({.source_port = 443, .destination_port = 50000, .flags = flags})
                      .build());
  }
  all.push_back(at_s0()
                    .ipv4({.source = server4, .destination = remote4})
                    .udp({.source_port = 1000, .destination_port = 53})
                    .build());
  all.push_back(at_s0()
                    .ipv6({.source = server6, .destination = remote6})
                    .udp({.source_port = 1000, .destination_port = 53})
                    .build());
  all.push_back(at_s0().ipv4({.source = server4, .destination = public4}).udp().build());
  all.push_back(at_c0().vlan(5).vlan(6).ipv4().tcp({.source_port = 1000}).build());
  all.push_back(at_c0()
                    .ipv4({.dont_fragment = true})
                    .tcp({.source_port = 1000, .destination_port = 83, .flags = ACK})
                    .payload(Buffer(1700))
                    .build());
  all.push_back(at_c0().ipv4().udp({.source_port = 1000, .destination_port = 53}).payload(Buffer(1700)).build());
}

inline const std::vector<Buffer>& templates() {
  static const std::vector<Buffer> all = [] {
    std::vector<Buffer> made;
    add_connections(made);
    add_fragments(made);
    add_messages(made);
    add_egress(made);
    return made;
  }();
  return all;
}

}  // namespace sluice::test
