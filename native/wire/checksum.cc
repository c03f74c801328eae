// SPDX-License-Identifier: Apache-2.0
#include "wire/checksum.h"

namespace sluice::wire {

namespace {

uint64_t load_raw64(const uint8_t* at) {
  uint64_t raw;
  std::memcpy(&raw, at, sizeof raw);
  return raw;
}

constexpr uint32_t castagnoli = 0x82f63b78;  // the polynomial 0x1edc6f41, bits reflected

// tables[0] is the ordinary table. tables[k] advances a byte by k more zero bytes, so that eight bytes take one step.
constexpr std::array<std::array<uint32_t, 256>, 8> make_tables() {
  std::array<std::array<uint32_t, 256>, 8> tables{};
  for (uint32_t byte = 0; byte < 256; byte++) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ ((crc & 1) != 0 ? castagnoli : 0);
    tables[0][byte] = crc;
  }
  for (size_t k = 1; k < 8; k++) {
    for (size_t byte = 0; byte < 256; byte++) {
      const uint32_t before = tables[k - 1][byte];
      tables[k][byte] = (before >> 8) ^ tables[0][before & 0xff];
    }
  }
  return tables;
}
constexpr auto tables = make_tables();

#if defined(__x86_64__)
[[gnu::target("sse4.2")]] uint32_t crc32c_by_instruction(Bytes bytes, uint32_t crc) {
  const uint8_t* at = bytes.data();
  size_t left = bytes.size();
  uint64_t state = ~crc;
  for (; left >= 8; at += 8, left -= 8) state = __builtin_ia32_crc32di(state, load_raw64(at));
  uint32_t tail = static_cast<uint32_t>(state);
  for (; left > 0; at++, left--) tail = __builtin_ia32_crc32qi(tail, *at);
  return ~tail;
}
bool has_crc32c_instruction() {
  return __builtin_cpu_supports("sse4.2") != 0;
}
#else
uint32_t crc32c_by_instruction(Bytes bytes, uint32_t crc) {
  return crc32c_by_table(bytes, crc);
}
bool has_crc32c_instruction() {
  return false;
}
#endif

}  // namespace

Sum sum_bytes(Bytes bytes, Sum start) {
  const uint8_t* at = bytes.data();
  size_t left = bytes.size();
  Sum sum = start;
  for (; left >= 32; at += 32, left -= 32) {
    sum = add_with_carry(sum, load_raw64(at));
    sum = add_with_carry(sum, load_raw64(at + 8));
    sum = add_with_carry(sum, load_raw64(at + 16));
    sum = add_with_carry(sum, load_raw64(at + 24));
  }
  for (; left >= 8; at += 8, left -= 8) sum = add_with_carry(sum, load_raw64(at));
  uint64_t last = 0;  // the remaining bytes, followed by zeros
  if (left > 0) std::memcpy(&last, at, left);
  return add_with_carry(sum, last);
}

uint32_t crc32c_by_table(Bytes bytes, uint32_t crc) {
  const uint8_t* at = bytes.data();
  size_t left = bytes.size();
  uint32_t state = ~crc;
  for (; left >= 8; at += 8, left -= 8) {
    const uint64_t word = load_raw64(at) ^ state;
    state = 0;
    for (size_t k = 0; k < 8; k++) state ^= tables[7 - k][(word >> (8 * k)) & 0xff];
  }
  for (; left > 0; at++, left--) state = (state >> 8) ^ tables[0][(state ^ *at) & 0xff];
  return ~state;
}

uint32_t crc32c(Bytes bytes, uint32_t crc) {
  static const bool by_instruction = has_crc32c_instruction();
  return by_instruction ? crc32c_by_instruction(bytes, crc) : crc32c_by_table(bytes, crc);
}

uint32_t sctp_checksum(Bytes packet) {
  constexpr size_t checksum_offset = 8;
  constexpr std::array<uint8_t, 4> zero{};
  const uint32_t ports_and_tag = crc32c(packet.first(checksum_offset));
  return crc32c(packet.subspan(checksum_offset + zero.size()), crc32c(zero, ports_and_tag));
}

}  // namespace sluice::wire
