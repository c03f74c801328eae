// SPDX-License-Identifier: Apache-2.0
// SipHash (Aumasson, Bernstein: SipHash, a fast short-input PRF, 2012). SipHash-1-3 spreads keys over tables and is
// what the kernel calls hsiphash; SipHash-2-4 authenticates SYN cookies.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace sluice::core {

struct SipKey {
  uint64_t k0 = 0, k1 = 0;
  bool operator==(const SipKey&) const = default;
};

template <unsigned compression_rounds, unsigned finalization_rounds>
class SipHash {
 public:
  explicit constexpr SipHash(SipKey key)
      : v0_(key.k0 ^ 0x736f6d6570736575),
        v1_(key.k1 ^ 0x646f72616e646f6d),
        v2_(key.k0 ^ 0x6c7967656e657261),
        v3_(key.k1 ^ 0x7465646279746573) {}

  // Adds eight bytes of the message; the first one is the least significant.
  constexpr SipHash& add(uint64_t word) {
    v3_ ^= word;
    rounds<compression_rounds>();
    v0_ ^= word;
    return *this;
  }

  // `tail` holds the last length % 8 bytes of a message of `length` bytes.
  constexpr uint64_t finish(uint64_t tail, size_t length) {
    add(tail | uint64_t{length} << 56);
    v2_ ^= 0xff;
    rounds<finalization_rounds>();
    return v0_ ^ v1_ ^ v2_ ^ v3_;
  }

 private:
  template <unsigned count>
  constexpr void rounds() {
    for (unsigned i = 0; i < count; i++) {
      v0_ += v1_;
      v2_ += v3_;
      v1_ = std::rotl(v1_, 13) ^ v0_;
      v3_ = std::rotl(v3_, 16) ^ v2_;
      v0_ = std::rotl(v0_, 32);
      v2_ += v1_;
      v0_ += v3_;
      v1_ = std::rotl(v1_, 17) ^ v2_;
      v3_ = std::rotl(v3_, 21) ^ v0_;
      v2_ = std::rotl(v2_, 32);
    }
  }

  uint64_t v0_, v1_, v2_, v3_;
};

}  // namespace sluice::core
