// SPDX-License-Identifier: Apache-2.0
// The headers that a tunnel puts in front of a packet, written once for a real server and copied for each packet.
//
// Most bytes of the outer headers are the same in every packet to a real server. They are written when the next hop is
// looked up (Transmitter), in the layout that they will have in front of the packet. For each packet they are copied,
// and the fields that differ are filled in: lengths, traffic class, identification, DF, hop limit, GUE's source port,
// and IPv4's checksum, which continues from the sum of the constant fields. A header with a checksum over the packet's
// bytes (GUE and GRE with checksums, remote checksum offload) cannot be copied: encapsulate() writes it.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>

#include "wire/checksum.h"
#include "wire/ipv4.h"
#include "wire/plain.h"

namespace sluice::director {

// The source port of GUE spreads flows over paths (as in RFC 7510). It comes from a hash of the inner addresses and
// ports, within the range of dynamic ports that the kernel also uses. All packets of a flow take the same path. All
// fragments of a datagram do, too: only the first fragment has ports, so `ports` is nullptr for every fragment.
inline uint16_t entropy_port(uint8_t protocol, const uint8_t* addresses, size_t size, const uint8_t* ports) {
  constexpr uint32_t first = 32768, count = 28232;  // net.ipv4.ip_local_port_range
  constexpr uint32_t golden_ratio =
      0x9e3779b1;  // 2^32 / phi: the upper bits of a product depend on all bits of the factor
  uint32_t hash = protocol;
  for (size_t i = 0; i < size; i += 4) hash = (hash ^ wire::load_be32(addresses + i)) * golden_ratio;
  if (ports != nullptr) hash = (hash ^ wire::load_be32(ports)) * golden_ratio;
  return static_cast<uint16_t>(first + (uint64_t{hash} * count >> 32));
}

// ECN (RFC 3168 9.1.1, full functionality): a congestion mark is not copied to the outer header, which gets ECT(0).
inline constexpr uint8_t ecn_mask = 0x03, ecn_congestion = 0x03, ecn_capable = 0x02;
inline constexpr uint8_t outer_traffic_class(uint8_t inner) {
  return (inner & ecn_mask) == ecn_congestion ? static_cast<uint8_t>((inner & ~ecn_mask) | ecn_capable) : inner;
}

struct alignas(64) OuterHeaders {
  static constexpr size_t room = 60;  // IPv6, UDP and GUE need 52
  std::array<uint8_t, room>
      bytes;               // the headers at the end; IPv4's checksum field holds the folded sum of the constant fields
  uint8_t length = 0;      // of the headers
  uint8_t udp_length = 0;  // of UDP's header and what follows it; 0: no UDP
  uint16_t longest = 0;    // length of the longest inner packet that fits the path; 0: these headers are not used

  bool is_ipv4() const { return length < wire::Ipv6View::header_length; }

  // Writes the headers in front of the IP packet `inner` of a plain frame, which has at least `room` writable bytes
  // there. Returns the start of the outer packet. `id`: IPv4's identification, for a packet without DF.
  template <class A>
  uint8_t* put_before(uint8_t* inner, uint32_t inner_length, uint16_t id, bool copies_dont_fragment) const;
};
static_assert(sizeof(OuterHeaders) == 64, "one cache line");

template <class A>
inline uint8_t* OuterHeaders::put_before(uint8_t* inner, uint32_t inner_length, uint16_t id,
                                         bool copies_dont_fragment) const {
  constexpr bool inner_is_ipv4 = A::family == wire::Family::ipv4;
  constexpr size_t transport = inner_is_ipv4 ? wire::Ipv4View::minimum_header_length : wire::Ipv6View::header_length;
  std::memcpy(inner - room, bytes.data(), room);
  if (udp_length != 0) {
    uint8_t* const udp = inner - udp_length;
    constexpr size_t addresses = inner_is_ipv4 ? 12 : 8, size = inner_is_ipv4 ? 8 : 32;
    const uint8_t protocol = inner[inner_is_ipv4 ? 9 : 6];
    wire::store_be16(udp, entropy_port(protocol, inner + addresses, size, inner + transport));
    wire::store_be16(udp + 4, static_cast<uint16_t>(udp_length + inner_length));
  }
  const uint8_t inner_class = inner_is_ipv4 ? inner[1] : static_cast<uint8_t>(wire::load_be16(inner) >> 4);
  const uint8_t traffic_class = outer_traffic_class(inner_class);
  const uint8_t hops = inner[inner_is_ipv4 ? 8 : 7];
  uint8_t* const ip = inner - length;
  if (is_ipv4()) {
    const bool dont_fragment = inner_is_ipv4 && copies_dont_fragment && (inner[6] & 0x40) != 0;
    // Raw words, as the checksum adds them: version and class, length, identification, flags, hop limit and protocol.
    const uint32_t start = 0x45u | uint32_t{traffic_class} << 8 |
                           uint32_t{wire::raw16(static_cast<uint16_t>(length + inner_length))} << 16;
    const uint32_t identity =
        dont_fragment ? uint32_t{wire::raw16(wire::Ipv4View::dont_fragment)} << 16 : wire::raw16(id);
    const uint16_t sum_of_rest = wire::load_raw16(ip + 10);
    std::memcpy(ip, &start, sizeof start);
    std::memcpy(ip + 4, &identity, sizeof identity);
    ip[8] = hops;
    wire::store_raw16(ip + 10, wire::finish_checksum(wire::Sum{start} + identity + hops + sum_of_rest));
  } else {
    wire::store_be16(ip, static_cast<uint16_t>(0x6000 | traffic_class << 4));
    wire::store_be16(ip + 4, static_cast<uint16_t>(length + inner_length - wire::Ipv6View::header_length));
    ip[7] = hops;
  }
  return ip;
}

}  // namespace sluice::director
