// SPDX-License-Identifier: Apache-2.0
// Any bytes as a tunnelled packet. Input: the outer protocol, the traffic class, then the payload. A delivered packet
// must lie within the payload, must be an IP packet for a host, and must be unwrapped alike when it is tunnelled again.
#include <algorithm>
#include <cstdlib>
#include <vector>

#include "decap/decapsulate.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"

using namespace sluice;

namespace {

constexpr size_t choice_bytes = 2;

void require(bool condition) {
  if (!condition) std::abort();
}

void check(const decap::Inner& inner, wire::Bytes payload) {
  require(inner.packet.data() >= payload.data());
  require(inner.packet.data() + inner.packet.size() <= payload.data() + payload.size());
  const bool is_v4 = inner.packet[0] >> 4 == 4;
  if (is_v4) {
    const auto ip = wire::Ipv4View::parse(inner.packet);
    require(ip && ip->is_checksum_ok() && ip->bytes().size() == inner.packet.size());
  } else {
    const auto ip = wire::Ipv6View::parse(inner.packet);
    require(ip && ip->bytes().size() == inner.packet.size());
  }
  if (!inner.is_partial) return;
  const size_t header = is_v4 ? wire::Ipv4View(inner.packet).header_length() : wire::Ipv6View::header_length;
  require(inner.checksum_start >= header);
  require(inner.checksum_start + inner.checksum_offset + 2u <= inner.packet.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < choice_bytes) return 0;
  // Memory of exactly this size, so that a read beyond it is found.
  std::vector<uint8_t> payload(data + choice_bytes, data + size);
  decap::Arrived stripped;
  (void)decap::strip_ipv4(payload, stripped);
  const decap::Inner inner = decap::decapsulate({data[0], data[1], payload}, {});
  if (inner.reason != decap::Reason::delivered) {
    require(inner.packet.empty());
    return 0;
  }
  check(inner, payload);
  // Alone, as in an IPIP packet without a mark.
  std::vector<uint8_t> bare(inner.packet.begin(), inner.packet.end());
  const uint8_t protocol = bare[0] >> 4 == 4 ? 4 : 41;
  const decap::Inner again = decap::decapsulate({protocol, 0, bare}, {});
  require(again.reason == decap::Reason::delivered);
  require(std::ranges::equal(again.packet, inner.packet));
  return 0;
}
