// SPDX-License-Identifier: Apache-2.0
// One packet of each shape that the wire layer knows, for tests that hold for all shapes: truncation, comparison with
// tcpdump, the fuzz corpus.
#pragma once

#include <string>
#include <vector>

#include "packet_builder.h"

namespace sluice::test {

struct Sample {
  std::string name;
  Buffer frame;
};

inline const Buffer mss_option = hex("020405b4");
// The options of a Linux client: MSS, SACK permitted, timestamps, window scale.
inline const Buffer syn_options = hex("020405b4 0402080a 00000064 00000000 01030307");

inline Buffer first_bytes(Buffer bytes, size_t count) {
  bytes.resize(count);
  return bytes;
}
inline Buffer zeros(size_t count) {
  return Buffer(count);
}

inline std::vector<Sample> ip_samples() {
  namespace type = wire::icmp_type;
  const Ipv4Layer reply{.source = "10.0.1.100", .destination = "10.0.1.2"};
  const Buffer quoted_udp = ipv4().udp().payload(zeros(32)).build();
  const Buffer quoted_tcp = first_bytes(ipv4().tcp().build(), 28);
  return {
      {"tcp-syn", ethernet().ipv4({.dont_fragment = true}).tcp({.options = syn_options}).build()},
      {"tcp-syn-mss", ethernet().ipv4().tcp({.options = mss_option}).build()},
      {"tcp-syn-ack",
       ethernet().ipv4(reply).tcp({.source_port = 80, .destination_port = 8080, .flags = SYN | ACK}).build()},
      {"tcp-data", ethernet()
                       .ipv4()
                       .tcp({.source_port = 4000,
                             .destination_port = 4001,
                             .acknowledgement = 77,
                             .flags = PSH | ACK,
                             .options = hex("0101080a0000006400000065")})
                       .payload("hello")
                       .build()},
      {"tcp-fin", ethernet().ipv4().tcp({.acknowledgement = 2, .flags = FIN | ACK}).build_padded()},
      {"tcp-rst", ethernet().ipv4().tcp({.flags = RST, .window = 0}).build_padded()},
      {"tcp-sack", ethernet()
                       .ipv4()
                       .tcp({.acknowledgement = 9, .flags = ACK, .options = hex("0101050a000000100000002001010000")})
                       .build()},
      {"tcp-toa",
       ethernet().ipv4().tcp({.acknowledgement = 9, .flags = ACK, .options = hex("fe081f900a000102")}).build()},
      {"tcp-urgent", ethernet()
                         .ipv4()
                         .tcp({.source_port = 4000, .destination_port = 4001, .flags = URG | PSH, .urgent_pointer = 1})
                         .payload("!")
                         .build()},
      {"tcp-bad-option", ethernet().ipv4().tcp({.options = hex("02080000")}).build()},
      {"tcp-partial", ethernet().ipv4().tcp({.sum = Sum::partial}).build()},
      {"udp", ethernet().ipv4().udp().payload("datagram").build()},
      {"udp-padded", ethernet().ipv4().udp().build_padded()},
      {"udp-no-checksum", ethernet().ipv4().udp({.checksum = 0}).payload("x").build()},
      {"ipv4-options", ethernet().ipv4({.options = hex("070b04 0a000001 00000000 00")}).udp().payload("x").build()},
      {"ipv4-first-fragment", ethernet().ipv4({.id = 7, .more = true}).udp({.length = 108}).payload(zeros(40)).build()},
      {"ipv4-later-fragment",
       ethernet().ipv4({.id = 7, .offset = 48, .protocol = wire::protocol::udp}).payload(zeros(60)).build()},
      {"icmp-echo", ethernet().ipv4().icmp().payload(zeros(56)).build()},
      {"icmp-echo-reply", ethernet().ipv4(reply).icmp({.type = type::echo_reply}).payload(zeros(56)).build()},
      {"icmp-port-unreachable",
       ethernet().ipv4(reply).icmp({.type = type::unreachable, .code = 3, .rest = 0}).payload(quoted_udp).build()},
      {"icmp-host-unreachable",
       ethernet().ipv4(reply).icmp({.type = type::unreachable, .code = 1, .rest = 0}).payload(quoted_tcp).build()},
      {"icmp-fragmentation-needed",
       ethernet().ipv4(reply).icmp({.type = type::unreachable, .code = 4, .rest = 1480}).payload(quoted_tcp).build()},
      {"icmp-time-exceeded",
       ethernet().ipv4(reply).icmp({.type = type::time_exceeded, .rest = 0}).payload(quoted_tcp).build()},
      {"icmp-redirect", ethernet()
                            .ipv4(reply)
                            .icmp({.type = type::redirect, .code = 1, .rest = 0x0a0001fe})
                            .payload(quoted_tcp)
                            .build()},
      {"icmp-parameter-problem",
       ethernet().ipv4(reply).icmp({.type = type::parameter_problem, .rest = 20u << 24}).payload(quoted_tcp).build()},
      {"sctp-init", ethernet()
                        .ipv4()
                        .sctp({.verification_tag = 0})
                        .chunk({.type = wire::sctp_chunk::init, .value = hex("00000001 00010000 000a 000a 00000005")})
                        .build()},
      {"sctp-data", ethernet()
                        .ipv4()
                        .sctp()
                        .chunk({.type = wire::sctp_chunk::sack, .value = hex("00000004 00010000 0000 0000")})
                        .chunk({.flags = 3, .value = hex("00000006 0001 0002 00000000 6869")})
                        .build()},
      {"ipip", ethernet().ipv4({.source = "192.0.2.1", .destination = "192.0.2.2"}).ipv4().tcp().build()},
      {"ip6-in-ip4", ethernet().ipv4({.source = "192.0.2.1", .destination = "192.0.2.2"}).ipv6().tcp().build()},
      {"gre", ethernet().ipv4({.source = "192.0.2.1", .destination = "192.0.2.2"}).gre().ipv4().tcp().build()},
      {"gre-all", ethernet()
                      .ipv4({.source = "192.0.2.1", .destination = "192.0.2.2"})
                      .gre({.checksum = true, .key = 5, .sequence = 6})
                      .ipv6()
                      .udp()
                      .payload("x")
                      .build()},
      {"gue", ethernet().ipv4().udp({.destination_port = 6080}).gue().ipv4().tcp().build()},
      {"gue-remote-checksum", ethernet()
                                  .ipv4()
                                  .udp({.destination_port = 6080})
                                  .gue({.remote_checksum = wire::RemoteChecksum{20, 36}})
                                  .ipv4()
                                  .tcp({.sum = Sum::partial})
                                  .build()},
      {"gue-variant-1", ethernet().ipv4().udp({.destination_port = 6080}).ipv6().tcp().build()},
      {"ip-proto", ethernet().ipv4({.protocol = 253}).payload("abcd").build()},
  };
}

inline std::vector<Sample> ip6_samples() {
  namespace type = wire::icmpv6_type;
  namespace protocol = wire::protocol;
  const Ipv6Layer reply{.source = "2001:db8::100", .destination = "2001:db8::2"};
  const Buffer quoted_udp = ipv6().udp().payload(zeros(32)).build();
  const Buffer quoted_tcp = ipv6().tcp().build();
  return {
      {"tcp6-syn", ethernet().ipv6().tcp({.options = syn_options}).build()},
      {"tcp6-data", ethernet()
                        .ipv6()
                        .tcp({.source_port = 4000, .destination_port = 4001, .acknowledgement = 7, .flags = PSH | ACK})
                        .payload("hello!")
                        .build()},
      {"udp6", ethernet().ipv6({.flow_label = 0x12345}).udp().payload("datagram").build()},
      {"udp6-hop-by-hop", ethernet().ipv6().hop_by_hop(hex("05020000 0100")).udp().payload("x").build()},
      {"tcp6-destination-options", ethernet().ipv6().destination_options().tcp().build()},
      {"tcp6-routing", ethernet().ipv6().routing(hex("fd00 00000000")).tcp().build()},
      {"tcp6-ah", ethernet().ipv6().ah().tcp().build()},
      {"ip6-first-fragment",
       ethernet().ipv6().fragment({.more = true, .id = 9}).udp({.length = 108}).payload(zeros(40)).build()},
      {"ip6-later-fragment",
       ethernet().ipv6().fragment({.offset = 48, .id = 9, .next_header = protocol::udp}).payload(zeros(60)).build()},
      {"icmp6-echo", ethernet().ipv6().icmpv6().payload(zeros(56)).build()},
      {"icmp6-echo-reply", ethernet().ipv6(reply).icmpv6({.type = type::echo_reply}).payload(zeros(56)).build()},
      {"icmp6-port-unreachable",
       ethernet().ipv6(reply).icmpv6({.type = type::unreachable, .code = 4, .rest = 0}).payload(quoted_udp).build()},
      {"icmp6-no-route",
       ethernet().ipv6(reply).icmpv6({.type = type::unreachable, .code = 0, .rest = 0}).payload(quoted_tcp).build()},
      {"icmp6-address-unreachable",
       ethernet().ipv6(reply).icmpv6({.type = type::unreachable, .code = 3, .rest = 0}).payload(quoted_tcp).build()},
      {"icmp6-too-big",
       ethernet().ipv6(reply).icmpv6({.type = type::packet_too_big, .rest = 1280}).payload(quoted_tcp).build()},
      {"icmp6-time-exceeded",
       ethernet().ipv6(reply).icmpv6({.type = type::time_exceeded, .rest = 0}).payload(quoted_tcp).build()},
      {"icmp6-parameter-problem",
       ethernet().ipv6(reply).icmpv6({.type = type::parameter_problem, .rest = 40}).payload(quoted_tcp).build()},
      {"neighbour-solicitation", ethernet({.destination = "33:33:ff:00:00:01"})
                                     .ipv6({.destination = "ff02::1:ff00:1", .hop_limit = 255})
                                     .neighbour()
                                     .build()},
      {"neighbour-advertisement",
       ethernet().ipv6({.hop_limit = 255}).neighbour({.type = type::neighbour_advertisement, .flags = 0x60}).build()},
      {"sctp6", ethernet().ipv6().sctp().chunk({.type = wire::sctp_chunk::cookie_ack}).build()},
      {"ip6-in-ip6", ethernet().ipv6({.source = "fd00::1", .destination = "fd00::2"}).ipv6().tcp().build()},
      {"ip4-in-ip6", ethernet().ipv6({.source = "fd00::1", .destination = "fd00::2"}).ipv4().udp().build()},
      {"gre6", ethernet().ipv6({.source = "fd00::1", .destination = "fd00::2"}).gre().ipv4().udp().build()},
      {"no-next-header", ethernet().ipv6().build()},
  };
}

inline std::vector<Sample> link_samples() {
  return {
      {"arp-request", ethernet({.destination = "ff:ff:ff:ff:ff:ff"}).arp().build_padded()},
      {"arp-reply",
       ethernet().arp({.operation = wire::arp_operation::reply, .target_mac = "02:00:00:00:00:02"}).build()},
      {"arp-probe", ethernet().arp({.target_mac = "02:00:00:00:00:02"}).build()},
      {"vlan", ethernet().vlan(5).ipv4().tcp().build()},
      {"vlan-priority", ethernet().vlan(4095, {.priority = 7}).ipv6().udp().build()},
      {"qinq", ethernet().vlan(100, {.tpid = wire::ethertype::provider_vlan}).vlan(5).ipv4().udp().build()},
      {"vlan-arp", ethernet().vlan(5).arp().build_padded()},
  };
}

inline std::vector<Sample> samples() {
  std::vector<Sample> all = ip_samples();
  for (const auto& more : {ip6_samples(), link_samples()}) all.insert(all.end(), more.begin(), more.end());
  return all;
}

}  // namespace sluice::test
