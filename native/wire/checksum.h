// SPDX-License-Identifier: Apache-2.0
// The internet checksum (RFC 1071), its incremental update (RFC 1624), and SCTP's CRC32c (RFC 9260).
//
// The internet checksum does not depend on the byte order in which its words are added, as long as one order is used
// throughout (RFC 1071, 2B). Here words are taken as they lie in memory ("raw") and results are stored as they are; no
// number of this header is swapped. One checksum has three forms:
//   Sum      a one's complement sum in progress: any 64-bit number congruent to it
//   folded   16 bits, not inverted. The field of a *partial* checksum holds it, too: a virtual NIC that leaves the
//            checksum to a device stores the folded sum of the pseudo-header alone; ports are not yet part of it.
//   checksum the folded sum inverted, as a finished header holds it
// A sum of bytes that are not all zero never folds to 0 but to 0xffff, so an incremental update gives exactly the bits
// of a full computation.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "wire/address.h"
#include "wire/bytes.h"

namespace sluice::wire {

static_assert(std::endian::native == std::endian::little,
              "bytes.h and checksum.h read a little-endian machine's words");

using Sum = uint64_t;

inline uint16_t load_raw16(const uint8_t* at) {
  uint16_t raw;
  std::memcpy(&raw, at, sizeof raw);
  return raw;
}
inline void store_raw16(uint8_t* at, uint16_t raw) {
  std::memcpy(at, &raw, sizeof raw);
}
// A number in host byte order, as the raw word on the wire.
inline constexpr uint16_t raw16(uint16_t host) {
  return __builtin_bswap16(host);
}

inline constexpr Sum add_with_carry(Sum a, Sum b) {
  const Sum sum = a + b;
  return sum + (sum < a);
}

// A last odd byte counts as the first byte of a word whose second byte is zero. So only the last piece of a message may
// be odd.
Sum sum_bytes(Bytes bytes, Sum start = 0);

// Adds the halves and carries the overflow around. The last step does both by adding the halves in both orders at once.
inline constexpr uint16_t fold(Sum sum) {
  const auto low = static_cast<uint32_t>(sum), high = static_cast<uint32_t>(sum >> 32);
  const uint32_t both = low + high;
  const uint32_t half = both + (both < low);
  return static_cast<uint16_t>((half + std::rotl(half, 16)) >> 16);
}
inline constexpr uint16_t finish_checksum(Sum sum) {
  return static_cast<uint16_t>(~fold(sum));
}
inline uint16_t internet_checksum(Bytes bytes) {
  return finish_checksum(sum_bytes(bytes));
}

// What replacing one value by another adds to a sum: ~m + m' of RFC 1624, equation 3. Changes can be added up. Folded
// to 16 bits, a change is kept in a flow and applied to each of its packets.
inline constexpr Sum change16(uint16_t raw_before, uint16_t raw_after) {
  return Sum{static_cast<uint16_t>(~raw_before)} + raw_after;
}
inline constexpr Sum change32(uint32_t raw_before, uint32_t raw_after) {
  return Sum{~raw_before} + raw_after;
}
inline constexpr Sum change(Ipv4Address before, Ipv4Address after) {
  return change32(before.raw, after.raw);
}
inline constexpr Sum change(const Ipv6Address& before, const Ipv6Address& after) {
  const Sum removed = add_with_carry(~before.raw[0], ~before.raw[1]);
  return fold(add_with_carry(removed, add_with_carry(after.raw[0], after.raw[1])));
}

// A finished checksum after a change: HC' = ~(~HC + ~m + m').
inline constexpr uint16_t updated_checksum(uint16_t checksum, Sum change) {
  return finish_checksum(add_with_carry(change, checksum ^ 0xffffu));
}
// As updated_checksum(), for a folded change (equation 4): a subtraction; the borrow is carried around.
inline constexpr uint16_t updated_by_folded(uint16_t checksum, uint16_t change) {
  uint16_t less;
  const bool borrow = __builtin_sub_overflow(checksum, change, &less);
  return static_cast<uint16_t>(less - borrow);
}
// The inverse of a folded change. An empty change is 0xffff in both directions, never 0: see the top of this file.
inline constexpr uint16_t change_back(uint16_t change) {
  return change == 0xffff ? change : static_cast<uint16_t>(~change);
}
// A partial checksum after a change of the pseudo-header: addresses and length, never ports.
inline constexpr uint16_t updated_partial(uint16_t folded, Sum change) {
  return fold(add_with_carry(change, folded));
}

// UDP (RFC 768): a computed zero is sent as all ones, because zero means "no checksum". IPv4 allows that; over IPv6 a
// zero is an error (RFC 8200 8.1) except in tunnels (RFC 6935).
inline constexpr uint16_t no_udp_checksum = 0;
inline constexpr uint16_t udp_checksum_on_wire(uint16_t checksum) {
  return checksum == 0 ? 0xffff : checksum;
}
inline constexpr uint16_t updated_udp_checksum(uint16_t checksum, Sum change) {
  return checksum == no_udp_checksum ? no_udp_checksum : udp_checksum_on_wire(updated_checksum(checksum, change));
}

// CRC32c (Castagnoli) as iSCSI and SCTP use it: initial and final inversion included, crc32c("123456789") is
// 0xe3069283. `crc` is the value that the call for the bytes before returned. Uses the CPU's instruction if there is
// one.
uint32_t crc32c(Bytes bytes, uint32_t crc = 0);
// As crc32c(), with tables only, for CPUs without the instruction.
uint32_t crc32c_by_table(Bytes bytes, uint32_t crc = 0);

// The checksum of a whole SCTP packet, computed as if its checksum field were zero. The field holds it least
// significant byte first (RFC 9260 appendix A): on the wire it is this number as a little-endian machine stores it.
// `packet` holds at least the common header.
uint32_t sctp_checksum(Bytes packet);

}  // namespace sluice::wire
