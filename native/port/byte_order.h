// SPDX-License-Identifier: Apache-2.0
// Numbers of a capture file: in the byte order of the machine that wrote it, which the file's magic number tells.
#pragma once

#include <cstdint>
#include <cstring>

#include "wire/bytes.h"

namespace sluice::port {

inline uint32_t load_le32(const uint8_t* at) {
  uint32_t raw;
  std::memcpy(&raw, at, sizeof raw);
  return raw;
}
inline void store_le16(uint8_t* at, uint16_t value) {
  std::memcpy(at, &value, sizeof value);
}
inline void store_le32(uint8_t* at, uint32_t value) {
  std::memcpy(at, &value, sizeof value);
}

struct ByteOrder {
  bool big_endian = false;

  uint16_t load16(const uint8_t* at) const {
    const uint16_t value = wire::load_be16(at);
    return big_endian ? value : __builtin_bswap16(value);
  }
  uint32_t load32(const uint8_t* at) const {
    const uint32_t value = wire::load_be32(at);
    return big_endian ? value : __builtin_bswap32(value);
  }
  uint64_t load64(const uint8_t* at) const {
    const uint64_t value = wire::load_be64(at);
    return big_endian ? value : __builtin_bswap64(value);
  }
};

}  // namespace sluice::port
