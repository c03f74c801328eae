// SPDX-License-Identifier: Apache-2.0
// The hash of clients and servers for ring and rendezvous: 64 bits, of the whole IPv6 address, and without a secret,
// because every balancer of a group must make the same choice.
#pragma once

#include <cstring>

#include "core/siphash.h"
#include "director/services/scheduler.h"

namespace sluice::director::schedulers {

inline constexpr core::SipKey choice_key{
    0x736c756963652d6c, 0x76732d63686f6963};  // must never change: it decides which server a client gets

inline uint64_t hash_endpoint(const wire::Address& address, uint16_t port) {
  uint64_t words[2];
  std::memcpy(words, address.bytes.data(), sizeof words);
  return core::SipHash<1, 3>(choice_key).add(words[0]).add(words[1]).finish(port, sizeof words + sizeof port);
}

// A permutation of the 64-bit numbers in which every bit depends on every other (Stafford's variant 13 of MurmurHash3's
// finalizer). Cheap enough for each of a thousand servers.
inline constexpr uint64_t mix(uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

}  // namespace sluice::director::schedulers
