// SPDX-License-Identifier: Apache-2.0
// The receiving end of a tunnel, as a pure function: from the payload of an IP header to the IP packet inside.
//
// Theory of operation. The caller knows from a socket the outer protocol, its traffic class, and the bytes after the
// outer IP header:
//
//   protocol 4, 41   | inner IP packet                 IP in IP (RFC 2003, RFC 2473, RFC 4213)
//   protocol 47      | GRE | inner IP packet           RFC 2784, RFC 2890; key and sequence number are not looked at
//   protocol 17      | GUE | inner IP packet           the UDP header is gone; both variants (wire/gue.h)
//
// The inner packet is checked as a host's IP stack checks it, so that the count of drops here is complete. Padding
// after the inner packet is cut off. The outer congestion mark becomes the inner one (RFC 6040 4.2). Hop limit,
// addresses and everything else of the inner packet stay as they are: the host is its destination.
//
// Checksums that are still to be computed. A transport checksum may be partial (wire/checksum.h) for two reasons. The
// host must then be told to accept it as it is:
//   - GUE's remote checksum option says so. The outer UDP checksum has covered the payload.
//   - The host's network card or stack has joined several segments of a connection (GRO), or a sender on the same
//     machine has never cut them. The host has checked them and leaves the field partial, but does not tell the reader
//     of a raw socket. Such a field is recognised by its value, the sum of the pseudo-header: a complete checksum has
//     another value. One of 65,536 damaged packets looks like that; as many pass a complete checksum, too.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "wire/address.h"
#include "wire/bytes.h"

namespace sluice::decap {

enum class Reason : uint8_t {
#define REASON(identifier, meaning) identifier,
#include "decap/reasons.def"
#undef REASON
};

inline constexpr auto reason_meanings = std::to_array<std::string_view>({
#define REASON(identifier, meaning) meaning,
#include "decap/reasons.def"
#undef REASON
});
inline constexpr size_t reason_count = reason_meanings.size();

// With dashes: "bad-tunnel-header".
std::string_view reason_name(Reason reason);

struct Arrived {
  uint8_t protocol = 0;       // of the outer IP header: ipip, ipv6, gre, or udp for what came to GUE's port
  uint8_t traffic_class = 0;  // of the outer IP header
  wire::MutableBytes payload;
};

struct Inner {
  Reason reason = Reason::delivered;
  wire::MutableBytes packet;                         // within the payload; empty unless delivered
  bool is_partial = false;                           // its transport checksum is still to be computed:
  uint16_t checksum_start = 0, checksum_offset = 0;  // where it begins; offset of its field from there
};

// Removes the outer IPv4 header, which raw IPv4 sockets give, too. False if the header is wrong.
[[nodiscard]] bool strip_ipv4(wire::MutableBytes datagram, Arrived& arrived);

// `addresses`: the allowed destinations of inner packets; empty: all.
Inner decapsulate(const Arrived& arrived, std::span<const wire::Address> addresses);

}  // namespace sluice::decap
