// SPDX-License-Identifier: Apache-2.0
// A fast way to read most traffic: untagged, unfragmented packets without IP options or extension headers that carry
// TCP or UDP. is() makes the checks of dissect() (packet.h) with a few compares; then every field lies at a known
// offset. Any other frame is not an error: dissect() reads it.
#pragma once

#include "wire/ethernet.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/protocol.h"
#include "wire/tcp.h"
#include "wire/udp.h"

namespace sluice::wire {

template <class A>
class PlainFrame {
 public:
  static constexpr bool is_v4 = A::family == Family::ipv4;
  static constexpr size_t l3 = EthernetView::header_length;
  static constexpr size_t l4 = l3 + (is_v4 ? Ipv4View::minimum_header_length : Ipv6View::header_length);

  explicit PlainFrame(const uint8_t* frame) : at_(frame) {}

  static bool is(const uint8_t* frame, uint32_t length) {
    if (length < l4 + UdpView::header_length) return false;
    if (load_raw16(frame + EthernetView::type_offset) != raw16(is_v4 ? ethertype::ipv4 : ethertype::ipv6)) return false;
    if constexpr (is_v4) {
      constexpr uint16_t fragment = Ipv4View::more_fragments | Ipv4View::offset_mask;
      if (frame[l3] != 0x45 || (load_raw16(frame + l3 + 6) & raw16(fragment)) != 0) return false;
    } else {
      if (frame[l3] >> 4 != 6) return false;
    }
    const PlainFrame plain(frame);
    const uint32_t end = l3 + plain.l3_length();
    if (end > length) return false;
    if (plain.protocol() == wire::protocol::tcp) [[likely]] {
      constexpr uint32_t least = l4 + TcpView::minimum_header_length;
      if (end < least) return false;
      // Of both: neither less than `least` nor beyond the end.
      return plain.payload() - least <= end - least;
    }
    if (plain.protocol() != wire::protocol::udp || end < l4 + UdpView::header_length) return false;
    const uint32_t datagram = load_be16(frame + l4 + 4);
    return datagram >= UdpView::header_length && datagram <= end - l4;
  }

  uint32_t l3_length() const {
    return is_v4 ? load_be16(at_ + l3 + 2) : static_cast<uint32_t>(Ipv6View::header_length) + load_be16(at_ + l3 + 4);
  }
  uint8_t protocol() const { return at_[l3 + (is_v4 ? 9 : 6)]; }
  uint8_t hop_limit() const { return at_[l3 + (is_v4 ? 8 : 7)]; }
  const uint8_t* addresses() const { return at_ + l3 + (is_v4 ? 12 : 8); }
  A source() const { return A::load(at_ + l3 + (is_v4 ? 12 : 8)); }
  A destination() const { return A::load(at_ + l3 + (is_v4 ? 16 : 24)); }
  // Both ports; the source port is the lower half.
  uint32_t ports() const { return std::rotl(load_be32(at_ + l4), 16); }
  uint16_t source_port() const { return load_be16(at_ + l4); }
  uint16_t destination_port() const { return load_be16(at_ + l4 + 2); }
  // For TCP only.
  uint8_t tcp_flags() const { return at_[l4 + 13]; }
  // The offset of the payload.
  uint32_t payload() const {
    if (protocol() != wire::protocol::tcp) return l4 + UdpView::header_length;
    return l4 + ((at_[l4 + 12] >> 2) & ~3u);
  }
  bool header_checksum_ok() const requires(is_v4) {
    uint64_t first, second;
    uint32_t last;
    std::memcpy(&first, at_ + l3, sizeof first);
    std::memcpy(&second, at_ + l3 + 8, sizeof second);
    std::memcpy(&last, at_ + l3 + 16, sizeof last);
    return add_with_carry(add_with_carry(first, second), last) % 0xffff == 0;  // it folds to 0xffff
  }

 private:
  const uint8_t* at_;
};

}  // namespace sluice::wire
